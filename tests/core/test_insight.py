"""What is seen of a training besides its figures: snapshots to try, watched sentences, forgetting, chosen prompts.

None of it may change a bit of the weights.
"""

from __future__ import annotations

import gc
import math
import threading
import time
import weakref

import numpy as np
import pytest
import safetensors.torch
import torch

from ulmfit_core import config, events
from ulmfit_core.config import ModelSettings, Recipe, VocabSettings, WatchedSentence
from ulmfit_core.errors import UserError
from ulmfit_core.inference import snapshot, watched
from ulmfit_core.inference.predictor import Predictor
from ulmfit_core.jobs import general_text
from ulmfit_core.jobs.insight import wishes_of
from ulmfit_core.models import bundle as bundles
from ulmfit_core.project import Project
from ulmfit_core.run import Control, Run, launch
from ulmfit_core.text.vocab import Vocabulary

HAPPY, SAD = "sun song dance light joy", "rain grave tears alone cold"
ASKED = 50


def texts(rng: np.random.Generator, rows: int) -> list[str]:
    """Lines `text,label` whose words tell the label."""
    made = []
    for number in range(rows):
        words, label = (HAPPY, "happy") if number % 2 else (SAD, "sad")
        made.append(f"{' '.join(rng.choice(words.split(), rng.integers(3, 12)))},{label}")
    return made


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """80 rows of two classes and a corpus, with a vocabulary and tiny language models."""
    folder, rng = tmp_path_factory.mktemp("insight"), np.random.default_rng(5)
    (folder / "rows.csv").write_text("\n".join(["text,label", *texts(rng, 80)]), encoding="utf-8")
    corpus = [line.rsplit(",", 1)[0] for line in texts(rng, 200)]
    (folder / "corpus.txt").write_text("\n".join(corpus), encoding="utf-8")
    recipe = Recipe(vocab=VocabSettings(size=110), model=ModelSettings(embedding=8, hidden=12, layers=2))
    recipe.data.data, recipe.data.text, recipe.data.label = str(folder / "rows.csv"), ["text"], "label"
    recipe.data.corpus = str(folder / "corpus.txt")
    for stage in (recipe.pretrain, recipe.finetune, recipe.classify):
        stage.epochs, stage.threads, stage.batch_size = 2, 1, 4
    recipe.classify.unfreezing = "all"
    made = Project.create(folder / "project", recipe)
    for job in ("import", "vocab", "pretrain", "finetune"):
        ended = launch(made, job)
        assert ended.status == "done", ended.reason
    return made


@pytest.fixture
def wanted(project):
    """Sets the project's wishes, and takes them back after the test."""

    def set_wishes(**values):
        for name, value in values.items():
            config.set_value(project.recipe, f"insight.{name}", value)
        project.save()

    yield set_wishes
    project.recipe.insight = config.InsightSettings()
    project.save()


def told(project, job, kind, **options):
    """The events of one kind that a run of the job tells."""
    heard: list[events.Event] = []
    ended = launch(project, job, sink=heard.append, **options)
    assert ended.status == "done", ended.reason
    return [event for event in heard if isinstance(event, kind)]


class AskNowAndThen(Control):
    """Asks for a snapshot at every second poll, up to ASKED times, and tries it in another thread at once."""

    def __init__(self):
        super().__init__()
        self.polls = 0
        self.answers: list[tuple[int, str]] = []
        self._tries: list[threading.Thread] = []

    @property
    def paused(self):
        self.polls += 1
        if self.polls % 2 and len(self._tries) < ASKED:
            waiting = self.ask()
            self._tries.append(threading.Thread(target=self._try, args=(waiting,)))
            self._tries[-1].start()
        return False

    def _try(self, waiting):
        try:
            lent = waiting.result(60)
        except UserError:  # asked before the first step
            return
        self.answers.append((lent.step, lent.predictor().predict(["sun and rain"])[0].label))

    def join(self):
        for thread in self._tries:
            thread.join()


def weights(project):
    return safetensors.torch.load_file(project.bundle_folder("classify") / "weights.safetensors")


@pytest.mark.parametrize("accumulate", [1, 2])
def test_tries_change_no_bit_of_the_training(project, accumulate):
    recipe = project.recipe.model_copy(deep=True)
    recipe.classify.accumulate = accumulate
    subject = Project(project.folder, recipe)
    assert launch(subject, "classify").status == "done"
    plain = weights(project)
    control = AskNowAndThen()
    assert launch(subject, "classify", control=control).status == "done"
    control.join()
    assert len(control.answers) >= ASKED - 5 and len({step for step, _ in control.answers}) > 5
    for name, value in weights(project).items():
        assert torch.equal(value, plain[name]), name


def test_a_snapshot_answers_as_the_model_did_then_and_stays_so(project):
    bundle = bundles.load(project.bundle_folder("classify")) if _trained(project) else None
    taken = snapshot.take("classify", 7, bundle)
    expected = Predictor(bundle.model, bundle.vocab, bundle.labels).probabilities(["the sun and the rain"])
    for value in bundle.model.state_dict().values():
        if value.is_floating_point():
            value.mul_(-3.0)
    assert taken.step == 7 and not any(p.requires_grad for p in taken.bundle.model.parameters())
    np.testing.assert_array_equal(taken.predictor().probabilities(["the sun and the rain"]), expected)
    with pytest.raises(UserError, match="classify a text, but not continue"):
        taken.generator()


def _trained(project):
    return project.bundle_folder("classify").exists() or launch(project, "classify").status == "done"


def test_gradients_are_not_copied_and_shared_weights_stay_shared(project):
    model = bundles.load(project.bundle_folder("finetune")).model
    for parameter in model.parameters():
        parameter.grad = torch.ones_like(parameter)
    made = snapshot.copied(model)
    assert all(p.grad is None for p in made.parameters())
    assert [name for name, _ in made.named_parameters()] == [name for name, _ in model.named_parameters()]
    with pytest.raises(UserError, match="continue a text, but not classify"):
        snapshot.take("finetune", 0, bundles.load(project.bundle_folder("finetune"))).predictor()


def test_a_paused_run_lends_while_it_rests_and_goes_on_only_when_told(project):
    control, heard = Control(), []
    worker = threading.Thread(target=lambda: launch(project, "finetune", control=control, sink=heard.append))
    worker.start()
    while not any(isinstance(event, events.CheckpointSaved) for event in heard):
        time.sleep(0.01)
    control.pause()
    first = control.ask().result(10)
    second = control.ask().result(10)
    assert control.paused and first.step == second.step
    assert first.generator().generate("the", words=3).startswith("the")
    began = time.process_time()
    time.sleep(0.3)
    assert time.process_time() - began < 0.1, "a paused run rests"
    control.resume()
    worker.join(60)
    assert heard[-1].status == "done"


def test_without_a_model_in_training_whoever_asks_is_told():
    control = Control()
    waiting = control.ask()
    Run(control=control).poll()
    with pytest.raises(UserError, match="No model is in training"):
        waiting.result(0)


def test_what_fails_while_lending_is_told_to_who_asked_and_the_run_goes_on():
    run = Run()
    with run.lending(lambda: 1 / 0):
        waiting = run.control.ask()
        assert run.poll()
    with pytest.raises(ZeroDivisionError):
        waiting.result(0)


def test_a_snapshot_is_freed_with_its_last_user():
    run = Run()
    with run.lending(lambda: torch.zeros(1000)):
        waiting = run.control.ask()
        run.poll()
    gone = weakref.ref(waiting.result(0))
    del waiting
    gc.collect()
    assert gone() is None


def test_watched_sentences_are_scored_after_each_epoch_of_the_classifier(project, wanted):
    wanted(watched=[WatchedSentence(text="sun song", label="happy"), WatchedSentence(text="grave tears")])
    scores = told(project, "classify", events.WatchedScores)
    assert [event.epoch for event in scores] == [0, 1]
    for row, text, label in zip(scores[-1].rows, ("sun song", "grave tears"), ("happy", "")):
        assert (row["text"], row["label"]) == (text, label)
        assert set(row["probabilities"]) == {"happy", "sad"}
        assert sum(row["probabilities"].values()) == pytest.approx(1, abs=1e-5)
    network = Predictor.load(project.bundle_folder("classify")).network_probabilities(["sun song"])
    by_epoch = [list(event.rows[0]["probabilities"].values()) for event in scores]
    assert any(np.allclose(shares, network[0], atol=1e-4) for shares in by_epoch), "one epoch's model was kept"


def test_sentences_pinned_while_a_training_runs_are_watched_from_the_next_epoch_on(project, wanted):
    heard: list[events.Event] = []

    def hear(event):
        heard.append(event)
        if isinstance(event, events.EpochEnded) and event.epoch == 0:
            wanted(watched=[WatchedSentence(text="rain")])

    subject = Project(project.folder, project.recipe.model_copy(deep=True))
    assert launch(subject, "classify", sink=hear).status == "done"
    assert [event.epoch for event in heard if isinstance(event, events.WatchedScores)] == [0, 1]
    assert [len(event.rows) for event in heard if isinstance(event, events.WatchedScores)] == [1, 1]


def test_wishes_that_cannot_be_read_leave_those_before(project, wanted):
    wanted(prompt="once")
    read = wishes_of(project)
    path = project.folder / "project.toml"
    before = path.read_text(encoding="utf-8")
    path.write_text("this is [no TOML", encoding="utf-8")
    assert read().prompt == "once"
    path.write_text(before, encoding="utf-8")


def test_a_language_model_reads_watched_sentences_and_goes_on_from_the_chosen_prompt(project, wanted):
    wanted(watched=[WatchedSentence(text="sun song dance")], prompt="the sun", temperature=0.0)
    heard: list[events.Event] = []
    assert launch(project, "finetune", sink=heard.append).status == "done"
    scores = [event for event in heard if isinstance(event, events.WatchedScores)]
    assert [event.epoch for event in scores] == [-1, 0, 1], "before the first epoch too"
    assert scores[-1].rows[0]["loss"] < scores[0].rows[0]["loss"], "it learned to read such texts"
    samples = [event for event in heard if isinstance(event, events.SampleText)]
    assert all(event.text.startswith("the sun") and event.temperature == 0 for event in samples)


def test_loss_per_word_is_the_cross_entropy_of_all_tokens_over_the_words(project):
    bundle = bundles.load(project.bundle_folder("finetune"))
    text = "sun song and rain"
    ids = bundle.vocab.encode([text])[0]
    tokens = torch.from_numpy(ids.astype(np.int64))[None]
    logits = bundle.model(tokens, bundle.model.encoder.initial_state(1)).logits[0].detach()
    expected = sum(-math.log(float(logits[at].softmax(0)[ids[at + 1]])) for at in range(len(ids) - 1)) / 4
    assert watched.loss_per_word(bundle.model, ids, text) == pytest.approx(expected, rel=1e-4)


def test_forgetting_is_measured_on_what_pretraining_did_not_read(project, wanted):
    losses = told(project, "finetune", events.GeneralLoss)
    assert [event.epoch for event in losses] == [-1, 0, 1]
    assert "this project" in losses[0].source
    pretrained = [run for run in project.runs() if run.job == "pretrain"][-1]
    best = [e.metrics["valid_loss"] for e in events.read_events(pretrained.folder / "events.jsonl")
            if isinstance(e, events.EpochEnded) and e.best][-1]  # fmt: skip
    assert losses[0].loss == pytest.approx(best, rel=0.02), "before fine-tuning it is what pretraining measured"
    wanted(forgetting=False)
    assert not told(project, "finetune", events.GeneralLoss)


def test_without_general_text_nothing_was_learned_that_could_be_forgotten(project):
    vocab = Vocabulary.load(project.vocab_folder)
    recipe = project.recipe.model_copy(deep=True)
    recipe.pretrain.enabled = False
    assert general_text.general_text(Project(project.folder, recipe), vocab) is None


def test_the_english_text_that_ships_is_not_for_other_alphabets(project):
    vocab = Vocabulary.load(project.vocab_folder)
    assert general_text._shipped(vocab) is None or vocab.size > 110
    english = general_text._shipped(_English(vocab))
    assert english and english.documents.tokens >= general_text.MOST_TOKENS


class _English:
    """A vocabulary that knows all words."""

    unk = 0

    def __init__(self, vocab):
        self.encode = lambda lines: [np.full(len(line.split()) * 2, 5) for line in lines]


def test_wishes_make_no_step_stale(project, wanted):
    before = {step: project.fingerprint(step) for step in ("import", "vocab", "pretrain", "finetune", "classify")}
    wanted(prompt="x", temperature=1.5, forgetting=False, watched=[WatchedSentence(text="y")])
    assert {step: project.fingerprint(step) for step in before} == before
    assert config.from_toml(config.to_toml(project.recipe)) == project.recipe
