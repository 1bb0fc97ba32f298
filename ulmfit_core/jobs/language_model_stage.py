"""What pretraining and fine-tuning share: a language model over a stream of documents, as a stage of the trainer."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from ulmfit_core import device as devices
from ulmfit_core import events
from ulmfit_core.config import InsightSettings, LanguageModelSettings, planned_phases
from ulmfit_core.data import batches
from ulmfit_core.data.batches import Documents, LanguageBatches
from ulmfit_core.data.feed import Feed
from ulmfit_core.inference import watched
from ulmfit_core.inference.generate import continue_text
from ulmfit_core.models.awd_lstm import State, detach, joined, sliced
from ulmfit_core.models.dropout import unknown_noise
from ulmfit_core.models.language_model import LanguageModel, activation_penalty
from ulmfit_core.run import Run
from ulmfit_core.text.vocab import Vocabulary
from ulmfit_core.training.distributed import ALONE, Ranks
from ulmfit_core.training.metrics import HIGHER_IS_BETTER, perplexity
from ulmfit_core.training.regularisation import dropouts_at, noise_at, ordinary_tokens
from ulmfit_core.training.stage import Differentiate, StepResult

WORDS_WRITTEN = 25  # after each epoch


@dataclass(frozen=True)
class GeneralText:
    """Text that the stage does not learn from, to see what it forgets. `source` says in words where it is from."""

    source: str
    documents: Documents


class LanguageModelStage:
    """Next-token prediction, the hidden state carried from window to window within an epoch."""

    def __init__(
        self, name: str, settings: LanguageModelSettings, model: LanguageModel, vocab: Vocabulary,
        train: Documents, valid: Documents, wishes: Callable[[], InsightSettings] = InsightSettings,
        general: GeneralText | None = None,
    ):  # fmt: skip
        """`wishes` says what is to be told after each epoch; `general` is measured then."""
        self.name = name
        self.settings = settings
        self.model = model
        self.best_metric = settings.keep_best_by
        self.higher_is_better = HIGHER_IS_BETTER[self.best_metric]
        self._vocab = vocab
        self._device = model.encoder.embedding.device
        devices.number_format(self._device, settings.precision)  # refuse what this device cannot before any work
        self._ordinary = ordinary_tokens(vocab, self._device)
        self._pass_tokens = settings.tokens_per_pass or _tokens_per_pass(model)
        batch, bptt = batches.language_window(train.tokens, self._device.type != "cpu", self._pass_tokens)
        batch, bptt = settings.batch_size or batch, settings.bptt or bptt
        self.sizes = {"batch_size": batch, "bptt": bptt}
        by_epoch = batches.windows_of_phases(planned_phases(settings, len(self.groups())), bptt)
        self._train = LanguageBatches(
            train, batch * settings.accumulate, bptt, seed=settings.seed, variable=settings.variable_bptt,
            by_epoch=by_epoch,
        )  # fmt: skip
        self._valid = LanguageBatches(valid, batch, bptt, seed=settings.seed, train=False)
        self._wishes = wishes
        self._general = general
        self._general_batches = general and LanguageBatches(
            general.documents, batch, bptt, seed=settings.seed, train=False
        )
        self._pass_rows = batch
        self._halved = 0
        self._steps: dict[int, int] = {}
        self._current: tuple[int, Feed] | None = None
        self.share(ALONE)
        self.set_progress(0.0)

    def share(self, ranks: Ranks) -> None:
        """Learn from this rank's rows of every batch alone; losses and gradients of all ranks add up to the batch's.

        Raises UserError where the batch has fewer rows than there are ranks.
        """
        self._mine = ranks.rows_of(self._train.batch)

    def groups(self) -> list[tuple[str, list[nn.Parameter]]]:
        return self.model.groups()

    def steps_of_epoch(self, epoch: int) -> int:
        if epoch not in self._steps:
            self._steps[epoch] = len(self._train.windows(epoch))
        return self._steps[epoch]

    def tokens_of_epoch(self, epoch: int) -> int:
        return int(self._train.windows(epoch).sum()) * self._train.batch

    def begin_epoch(self, epoch: int) -> State:
        return self.model.encoder.initial_state(self._mine.stop - self._mine.start)

    def set_progress(self, share: float) -> None:
        self.model.encoder.set_dropouts(dropouts_at(self.settings, share))
        self._noise = noise_at(self.settings, share)

    def backward(
        self, epoch: int, index: int, state: State, rng: torch.Generator, poll: Callable[[], object],
        differentiate: Differentiate,
    ) -> StepResult:  # fmt: skip
        """One window, in as many passes over rows of the batch as `accumulate` and `tokens_per_pass` ask for.

        All rows of a window have the same length, so passes weighted by their rows add up to the whole
        batch's gradient, penalties included, over all ranks that share it.
        """
        inputs, targets = (rows[self._mine] for rows in self._windows(epoch)[index])
        own, length = inputs.shape
        batch = self._train.batch
        states: list[State] = []
        total = torch.zeros((), device=self._device)
        for part in _parts(own, self._rows_of_pass(length)):
            poll()
            share = (part.stop - part.start) / batch
            loss, objective, new_state = self._pass(inputs[part], targets[part], sliced(state, part), rng)
            differentiate(objective * share)
            total += loss * share
            states.append(detach(new_state))
        return StepResult(total, batch * length, batch * length, length / self._train.bptt_of(epoch), joined(states))

    def _pass(
        self, inputs: Tensor, targets: Tensor, state: State, rng: torch.Generator
    ) -> tuple[Tensor, Tensor, State]:
        """Loss per token, what is differentiated (with AR and TAR), and the new state."""
        inputs = unknown_noise(inputs, self._ordinary, self._vocab.unk, self._noise, rng)
        with devices.autocast(self._device, self.settings.precision):
            features = self.model.read(inputs, state, rng)
            loss = self.model.loss(features.dropped, targets)
        penalty = activation_penalty(features, self.settings.alpha, self.settings.beta)
        return loss.detach(), loss + penalty, features.state

    def rehearse(self, rows: int, rng: torch.Generator) -> int:
        inputs, targets = self._windows(0)[0]
        part = slice(0, min(rows, self._rows_of_pass(inputs.shape[1])))
        inputs, targets = inputs[part], targets[part]
        _, objective, _ = self._pass(inputs, targets, self.model.encoder.initial_state(len(inputs)), rng)
        objective.backward()
        return len(inputs)

    def halve_passes(self, times: int = 1) -> str:
        length = self.sizes["bptt"]
        if self._rows_of_pass(length) == self._rows_of_reading(self._valid.batch) == 1:
            return ""
        self._halved += times
        rows = self._rows_of_pass(length)
        return f"{rows} row{'s' * (rows > 1)} of about {length} tokens"

    def validate(self, run: Run) -> dict[str, float]:
        """Loss per token, perplexity and next-token accuracy over every token of the validation text."""
        mean, accuracy = self._measure(self._valid, run, "Validating")
        return {"valid_loss": mean, "perplexity": perplexity(mean), "next_word_accuracy": accuracy}

    def _measure(self, text: LanguageBatches, run: Run, label: str) -> tuple[float, float]:
        """Loss per token and share of next tokens foretold, over every token."""
        epoch = text.epoch(0)
        windows = Feed(epoch, self._device)
        state = self.model.encoder.initial_state(text.batch)
        scores: list[tuple[Tensor, Tensor, Tensor]] = []
        for index in run.track(range(len(epoch)), label):
            inputs, targets = windows[index]
            states: list[State] = []
            for part in _parts(text.batch, self._rows_of_reading(text.batch)):
                features = self.model.read(inputs[part], sliced(state, part))
                states.append(features.state)
                scores.append(self.model.score(features.dropped, targets[part]))
            state = joined(states)
        loss, right, count = (float(torch.stack(part).cpu().double().sum()) for part in zip(*scores, strict=True))
        return loss / count if count else math.nan, right / max(1, count)

    def after_epoch(self, epoch: int, run: Run) -> None:
        wishes, seed = self._wishes(), self.settings.seed * 1000 + epoch
        options = {"words": WORDS_WRITTEN, "seed": seed, "temperature": wishes.temperature}
        text = continue_text(self.model, self._vocab, wishes.prompt, **options)
        run.emit(events.SampleText(epoch, wishes.prompt, text, wishes.temperature))
        self.tell_insight(epoch, run)

    def tell_insight(self, epoch: int, run: Run) -> None:
        """How the model reads the watched sentences and the general text; epoch -1: before it learns."""
        sentences = self._wishes().watched
        if sentences:
            run.emit(events.WatchedScores(epoch, watched.read(self.model, self._vocab, sentences)))
        if self._general and self._general_batches:
            with torch.inference_mode():
                loss, _ = self._measure(self._general_batches, run, "Reading general text")
            run.emit(events.GeneralLoss(epoch, loss, self._general.source))

    def _windows(self, epoch: int) -> Feed:
        if self._current is None or self._current[0] != epoch:
            self._current = (epoch, Feed(self._train.epoch(epoch), self._device))
        return self._current[1]

    def _rows_of_pass(self, length: int) -> int:
        own = self._mine.stop - self._mine.start
        return max(1, min(own, self._pass_rows, self._pass_tokens // length) >> self._halved)

    def _rows_of_reading(self, batch: int) -> int:
        """In a pass of a validation, which may have more rows than one that learns."""
        return max(1, batch >> self._halved)


def _tokens_per_pass(model: LanguageModel) -> int:
    outputs = sum(c.shape[-1] for _, c in model.encoder.initial_state(1))
    parameters = sum(parameter.numel() for parameter in model.parameters())
    return devices.tokens_per_pass(model.encoder.embedding.device, outputs, parameters)


def _parts(rows: int, most: int) -> list[slice]:
    """All rows in order, at most so many in a part."""
    return [slice(start, min(rows, start + most)) for start in range(0, rows, most)]


def held_out(
    count: int, lengths: np.ndarray, seed: int, share: float, most_tokens: int
) -> tuple[np.ndarray, np.ndarray]:
    """Split `count` documents by number into (training, validation): `share` of them, at most `most_tokens` tokens."""
    order = np.random.default_rng([seed, count]).permutation(count)
    wanted = max(1, round(count * share))
    within = int(np.searchsorted(np.cumsum(lengths[order]), most_tokens)) + 1
    cut = min(wanted, within, count - 1)
    return np.sort(order[cut:]), np.sort(order[:cut])
