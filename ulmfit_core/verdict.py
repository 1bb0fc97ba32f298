"""What is to be said of a training in words: does it diverge, overfit, stand still, and which knob should be turned?

Rules on the events of a run alone, so that they hold for one that is at work, for one of last year and in tests alike.
They say nothing where there is too little to go by.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ulmfit_core.config import ClassifySettings, FinetuneSettings, PretrainSettings, StageSettings, rate_text
from ulmfit_core.events import Ended, EpochEnded, Event, Plan, Started

STAGES: dict[str, type[StageSettings]] = {
    "pretrain": PretrainSettings, "finetune": FinetuneSettings, "classify": ClassifySettings,
}  # fmt: skip
LOSSES = ("train_loss", "valid_loss")
EXPLODED = 2.0  # times its lowest: a validation loss so high, while the training loss falls no more, is out of hand
KNOWN = 0.3  # times the first training loss: one that is lower has been learned, whatever the validation says
RECENT = 3  # epochs that tell whether the training loss still falls
WORSE = 1.03  # times its lowest: the validation loss has risen
LEARNED = 0.97  # times what it was: the training loss has fallen
MOVED = 0.02  # share by which the losses of a training must fall from its first to its second half
GAIN = 0.01  # share of the validation loss that one more epoch was worth
UNUSUAL = 3.0  # times the stage's default rate, or less than a third of it
FEW_ROWS = 100  # validation rows: with fewer, losses of single texts decide which epoch looks best


@dataclass(frozen=True)
class Verdict:
    """`kind` in a word or two; `sentence` says what is seen, `advice` what to do.

    `knob` of the stage's settings and the `value` that it should have; "" where no single one is meant.
    """

    kind: str
    sentence: str
    advice: str
    knob: str = ""
    value: float = 0.0


@dataclass(frozen=True)
class Story:
    """What the rules look at: figures by epoch, the plan, the stage's usual rate, and whether the run has ended.

    `right` are the shares of right answers, of a classifier; `rows` the validation rows they were measured on, 0 where
    a run does not tell.
    """

    train: list[float]
    valid: list[float]
    right: list[float]
    best: list[bool]
    rows: int
    planned: int
    before_last_phase: int
    rate: float
    usual: float
    ended: Ended | None

    @property
    def count(self) -> int:
        return len(self.valid)

    @property
    def lowest(self) -> int:
        """The epoch with the lowest validation loss."""
        return self.valid.index(min(self.valid))

    @property
    def chance(self) -> float:
        """One standard error of the share of right answers in the epoch with the lowest loss: sqrt(p (1 - p) / n).

        p is taken one right and one wrong answer nearer to a half, since 20 right ones of 20 prove no certainty.
        """
        share = (self.right[self.lowest] * self.rows + 1) / (self.rows + 2)
        return math.sqrt(share * (1 - share) / self.rows)

    @property
    def kept(self) -> str:
        """Which epoch is kept, where that is another than the one with the lowest loss: it goes by right answers."""
        kept = max((number for number, best in enumerate(self.best) if best), default=self.lowest)
        return "" if kept == self.lowest else f" Kept is epoch {kept + 1}, which answered more of them right."


def verdict(told: Sequence[Event]) -> Verdict | None:
    """The first rule that has something to say of a run's events, or None."""
    story = story_of(told)
    return next((found for rule in RULES if story and (found := rule(story))), None)


def story_of(told: Sequence[Event]) -> Story | None:
    """None for what is no training, or has not begun."""
    job = next((event.job for event in told if isinstance(event, Started)), "")
    plan = next((event for event in told if isinstance(event, Plan)), None)
    if plan is None or job not in STAGES:
        return None
    epochs = [event for event in told if isinstance(event, EpochEnded) and event.metrics.keys() >= {*LOSSES}]
    return Story(
        train=[event.metrics[LOSSES[0]] for event in epochs],
        valid=[event.metrics[LOSSES[1]] for event in epochs],
        right=[event.metrics["accuracy"] for event in epochs if "accuracy" in event.metrics],
        best=[event.best for event in epochs],
        rows=int(epochs[-1].metrics.get("valid_rows", 0)) if epochs else 0,
        planned=len(plan.epoch_ends),
        before_last_phase=sum(phase["epochs"] for phase in plan.phases[:-1]),
        rate=max((rate for group in plan.rates for rate in group), default=0.0),
        usual=STAGES[job]().lr_max,
        ended=told[-1] if isinstance(told[-1], Ended) else None,
    )


# The rules, the gravest first


def diverges(story: Story) -> Verdict | None:
    """The training broke off for its loss, or the validation loss is out of hand and the training loss not falling."""
    broke = story.ended is not None and story.ended.status == "failed" and "diverged" in story.ended.reason
    if not broke and not _out_of_hand(story):
        return None
    rates = f"from {rate_text(story.rate)} to {rate_text(_third(story.rate))}"
    return Verdict(
        "diverges",
        "The loss shoots up instead of falling: each step is so large that it undoes what was learned.",
        f"Lower the highest learning rate {rates}, and start anew.",
        "lr_max",
        _third(story.rate),
    )


def _out_of_hand(story: Story) -> bool:
    if story.count < 2:
        return False
    high = not story.valid[-1] <= EXPLODED * min(story.valid[:-1])  # so written that NaN counts as high
    return high and not story.train[-1] < max(min(story.train[-1 - RECENT : -1]), KNOWN * story.train[0])


def cannot_tell(story: Story) -> Verdict | None:
    """Few rows validate, and right answers have not become fewer by more than chance since the lowest loss.

    From the second epoch to the end it says the same, whatever the loss of a few texts does meanwhile.
    """
    if not 0 < story.rows < FEW_ROWS or story.count < 2 or len(story.right) != story.count:
        return None
    if story.right[-1] < story.right[story.lowest] - story.chance:
        return None
    return Verdict(
        "too few rows to tell",
        f"Only {story.rows} texts are held out for validation: one text more answered right is {1 / story.rows:.1%}, "
        f"and chance alone moves the share by {story.chance:.0%}. The epochs cannot be told apart by so few.",
        "The best epoch is kept in any case. A larger validation share, or more labelled texts, would show more.",
    )


def overfits(story: Story) -> Verdict | None:
    """The training loss goes on falling while the validation loss has risen for two epochs, and no epoch was better."""
    if story.count < 3 or story.count - 1 - story.lowest < 2 or any(story.best[-2:]):
        return None
    at = story.lowest
    if story.valid[-1] <= WORSE * story.valid[at] or story.train[-1] >= LEARNED * story.train[at]:
        return None
    sentence = (
        f"Since epoch {at + 1} it learns the training texts by heart: their loss still falls, but on texts that are "
        f"held out the loss has risen by {story.valid[-1] / story.valid[at] - 1:.0%}."
    )
    kept = "The best epoch is kept, so no harm is done."
    if not story.ended:
        return Verdict("overfits", sentence, f"{kept} Let it go on, or press “Finish now”; the end will tell more.")
    enough = max(1, at + 1 - story.before_last_phase)
    more = "more texts or 1.5 times the dropout multiplier may bring a better result."
    advice = f"{kept} {_epochs(enough)} with all layers would do; {more}"
    return Verdict("overfits", sentence, advice, "epochs", enough)


def stands_still(story: Story) -> Verdict | None:
    """Neither loss is lower in the second half of at least four epochs than in the first."""
    if story.count < 4 or _falls(story.train) or _falls(story.valid):
        return None
    sentence = f"In {story.count} epochs the loss has hardly moved: the model does not learn."
    if story.rate < story.usual / UNUSUAL:
        usual = rate_text(story.usual)
        advice = f"Raise the highest learning rate from {rate_text(story.rate)} to {usual}, which is usual here."
        return Verdict("stands still", sentence, advice, "lr_max", story.usual)
    if story.rate > story.usual * UNUSUAL:
        advice = f"Lower the highest learning rate from {rate_text(story.rate)} to {rate_text(_third(story.rate))}."
        return Verdict("stands still", sentence, advice, "lr_max", _third(story.rate))
    advice = "The rate is a usual one. Look for a better one with “Find a rate”, and check that the labels are right."
    return Verdict("stands still", sentence, advice)


def too_short(story: Story) -> Verdict | None:
    """A training that is done ended with its lowest loss, and its last epoch was still worth something."""
    if not _done(story) or story.count < 2 or _last_gain(story) < GAIN:
        return None
    more = max(2, round(1.5 * (story.planned - story.before_last_phase)))
    return Verdict(
        "too short",
        f"In the last epoch the loss on held-out texts still fell, by {_last_gain(story):.0%}: there was more to learn."
        + story.kept,
        f"Raise the epochs to {more} and start anew.",
        "epochs",
        more,
    )


def settled(story: Story) -> Verdict | None:
    """A training that is done and leaves nothing to be turned."""
    if not _done(story) or story.count < 3 or story.valid[-1] > WORSE * min(story.valid):
        return None
    sentence = f"The loss on held-out texts was lowest in epoch {story.lowest + 1} and has hardly changed since."
    if story.lowest == story.count - 1:
        sentence = "The loss on held-out texts came down until the end, at last very slowly."
    advice = "More epochs would bring little. If it is not good enough yet, more texts or a better language model help."
    return Verdict("settled", sentence + story.kept, advice)


def rises(story: Story) -> Verdict | None:
    """A training that is done, whose validation loss was lower before though right answers may have gone on to grow."""
    if not _done(story) or story.count < 3:
        return None
    return Verdict(
        "rises",
        f"The loss on held-out texts was lowest in epoch {story.lowest + 1} and has risen since, by "
        f"{story.valid[-1] / min(story.valid) - 1:.0%}: the model grew surer than it is right.{story.kept}",
        "Answers are made less sure again by the validation rows. More texts or 1.5 times the dropout multiplier help.",
    )


def too_fast(story: Story) -> Verdict | None:
    """The rate is far above the usual one, and the second epoch brought the training loss no lower than the first."""
    if story.count < 2 or story.rate <= story.usual * UNUSUAL or story.train[1] < LEARNED * story.train[0]:
        return None
    return Verdict(
        "too fast",
        f"The loss falls late and little: the rate {rate_text(story.rate)} is {story.rate / story.usual:.0f} times the "
        "usual.",
        f"Lower the highest learning rate to {rate_text(story.usual)}, or look for a rate with “Find a rate”.",
        "lr_max",
        story.usual,
    )


def improves(story: Story) -> Verdict | None:
    """A training at work whose newest epoch is its best."""
    if story.ended or story.count < 2 or story.lowest != story.count - 1:
        return None
    return Verdict(
        "improves", f"Epoch {story.count} is the best so far; the loss on held-out texts falls.", "Let it go on."
    )


RULES: tuple[Callable[[Story], Verdict | None], ...] = (
    diverges, stands_still, too_fast, cannot_tell, overfits, too_short, settled, rises, improves,
)  # fmt: skip


def _done(story: Story) -> bool:
    return story.ended is not None and story.ended.status == "done" and not story.ended.finished_early


def _falls(losses: Sequence[float]) -> bool:
    """Whether the mean of the second half is lower than that of the first by more than MOVED."""
    half = len(losses) // 2
    first, second = losses[:half], losses[-half:]
    return sum(second) < (1 - MOVED) * sum(first)


def _last_gain(story: Story) -> float:
    """Share by which the last epoch lowered the lowest validation loss; 0 or less where it did not."""
    return 1 - story.valid[-1] / min(story.valid[:-1])


def _third(rate: float) -> float:
    """A third, of one significant digit."""
    third = rate / 3
    return round(third, -math.floor(math.log10(third))) if third > 0 else rate


def _epochs(count: int) -> str:
    return "One epoch" if count == 1 else f"{count} epochs"
