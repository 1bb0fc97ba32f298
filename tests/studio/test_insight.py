"""What a training tells below its plots: texts, watched sentences, forgetting, the verdict; tries while it trains."""

from __future__ import annotations

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QLabel

from studio.screens.forgetting import forgotten, sentence
from studio.screens.insight import InsightTabs
from studio.screens.training import ClassifyScreen, FinetuneScreen
from studio.screens.try_it import TryItScreen
from studio.screens.verdict import remark
from studio.screens.watched import FULL, MOST, watch
from ulmfit_core.config import WatchedSentence
from ulmfit_core.events import Ended, EpochEnded, GeneralLoss, SampleText, Started, WatchedScores, read_events

NAMES = {"classify": ["Epochs", "Watched", "Try", "Verdict"],
         "finetune": ["Epochs", "Writes", "Watched", "Forgets", "Try", "Verdict"],
         "pretrain": ["Epochs", "Writes", "Watched", "Try", "Verdict"]}  # fmt: skip
LONG = "The sun came out and we danced all night"


@pytest.fixture
def tabs(qtbot, project_session):
    kept = []

    def make(step="classify"):
        made = InsightTabs(project_session, step)
        kept.append(made)
        qtbot.addWidget(made)
        made.resize(700, 220)
        made.show()
        made.refresh(may_change=True)
        return made

    yield make


def scored(epoch, happy):
    shares = {"happy": happy, "sad": 1 - happy}
    return WatchedScores(epoch, [{"text": LONG, "label": "happy", "probabilities": shares},
                                 {"text": "He wept", "label": "", "probabilities": shares}])  # fmt: skip


@pytest.mark.parametrize("step", NAMES)
def test_each_training_has_the_tabs_that_fit_it(tabs, step):
    made = tabs(step)
    assert [made.tabText(at) for at in range(made.count())] == NAMES[step]
    assert all(made.tabToolTip(at) for at in range(made.count()))


def test_a_sentence_is_pinned_with_its_label_and_kept_in_the_project(qtbot, project_session, tabs):
    part = tabs().watched
    part.label.addItem("happy")
    part.label.setCurrentIndex(part.label.count() - 1)
    qtbot.keyClicks(part.text, f"  {LONG} ")
    qtbot.keyClick(part.text, Qt.Key.Key_Return)
    assert part.text.text() and part.text.selectedText() == part.text.text(), "it stays, and typing replaces it"
    assert project_session.project.recipe.insight.watched == [WatchedSentence(text=LONG, label="happy")]
    assert LONG in (project_session.project.folder / "project.toml").read_text(encoding="utf-8")
    part.refresh()
    assert part.table.texts() == [["●", "after an epoch", LONG]]
    part.table.selectRow(0)
    qtbot.mouseClick(part.remove_button, Qt.MouseButton.LeftButton)
    assert project_session.project.recipe.insight.watched == []


def test_no_more_sentences_are_watched_than_can_be_told_apart(qtbot, project_session):
    for number in range(MOST):
        assert watch(project_session, f"sentence {number}")
    assert watch(project_session, "sentence 3", "sad"), "the same one again only changes its label"
    with qtbot.waitSignal(project_session.refused) as said:
        assert not watch(project_session, "one more")
    assert said.args == [FULL]
    assert len(project_session.project.recipe.insight.watched) == MOST


def test_the_expected_labels_probability_is_drawn_or_the_answers(project_session, tabs):
    part = tabs()
    watch(project_session, LONG, "happy")
    watch(project_session, "He wept")
    part.refresh(may_change=True)
    part.show_events([scored(0, 0.3), scored(1, 0.2)])
    first, second = part.watched.curves.lines
    assert (first.epochs, first.values) == ([1, 2], [0.3, 0.2])
    assert second.values == pytest.approx([0.7, 0.8]), "of the newest answer, sad"
    assert [row[1] for row in part.watched.table.texts()] == ["sad 80% ✗", "sad 80%"]
    part.show_events([scored(0, 0.9)])
    assert part.watched.table.texts()[0][1] == "happy 90% ✓"


def test_an_old_run_shows_what_it_watched_though_the_project_does_so_no_longer(tabs):
    part = tabs()
    part.show_events([scored(0, 0.6)])
    assert [row[2] for row in part.watched.table.texts()] == [LONG, "He wept"]
    part.watched.table.selectRow(0)
    part.watched.remove()  # nothing to remove from the project
    assert len(part.watched.table.texts()) == 2


def test_watched_sentences_of_a_language_model_have_a_loss_from_before_the_first_epoch_on(tabs):
    part = tabs("finetune").watched
    part.show_events([WatchedScores(at, [{"text": LONG, "label": "", "loss": 5.0 - at}]) for at in (-1, 0)])
    assert part.curves.lines[0].epochs == [0, 1] and part.curves.lines[0].values == [6.0, 5.0]
    assert part.table.texts() == [["●", "5.00", LONG]]
    assert not part.label.isVisible()


def test_texts_grow_by_epoch_and_whoever_reads_further_down_stays_there(tabs):
    made = tabs("finetune")
    made.setCurrentWidget(made.writes)
    texts = made.writes.texts
    samples = [SampleText(at, "", f"text <{at}> " + "and more words " * 20) for at in range(9)]
    made.show_events(samples[:8])
    assert texts.toPlainText().startswith("Epoch 8") and "text <7>" in texts.toPlainText()
    bar = texts.verticalScrollBar()
    bar.setValue(bar.maximum() // 2)
    below = bar.maximum() - bar.value()
    made.show_events(samples)
    assert texts.toPlainText().startswith("Epoch 9")
    assert bar.maximum() - bar.value() == below


def test_prompt_and_temperature_of_the_next_text_are_kept(qtbot, project_session, tabs):
    part = tabs("finetune").writes
    qtbot.keyClicks(part.prompt, "The moon")
    qtbot.keyClick(part.prompt, Qt.Key.Key_Return)
    part.temperature.setValue(0.3)
    wishes = project_session.project.recipe.insight
    assert (wishes.prompt, wishes.temperature) == ("The moon", 0.3)


def test_forgetting_is_said_as_a_share_of_the_perplexity(tabs):
    losses = {at: GeneralLoss(at, loss, "some text") for at, loss in ((-1, 4.0), (0, 4.2), (1, 4.0770))}
    assert forgotten(losses) == pytest.approx(0.08, abs=0.001)
    assert forgotten({-1: losses[-1]}) is None and forgotten({0: losses[0]}) is None
    made = tabs("finetune")
    made.show_events(list(losses.values()))
    assert "8% worse" in made.tabToolTip(3)
    assert made.forgetting.figure.text() == "General text: 8% worse than before"
    assert made.forgetting.curve.lines[0].epochs == [0, 1, 2]
    assert "10% better than before. Measured by the loss on everyday general sentences" in sentence(-0.1)
    assert "as good as before" in sentence(0.001)
    assert "lower rate" in sentence(0.9) and "lower rate" not in sentence(0.2)
    made.show_events([Started("finetune", "x"), EpochEnded(0, 0, 1, {"train_loss": 1.0, "valid_loss": 1.0}, True)])
    assert "nothing to measure" in made.forgetting.sentence.text() and not made.forgetting.curve.isVisible()


def test_a_bad_verdict_offers_to_turn_the_knob(qtbot, project_session, write_run):
    folder = write_run(project_session.project, "classify", per_epoch=5)
    log = folder / "events.jsonl"
    log.write_text(log.read_text().replace('"done", "reason": ""', '"failed", "reason": "training diverged"'))
    screen = ClassifyScreen(project_session)
    qtbot.addWidget(screen)
    screen.resize(1000, 760)
    screen.show()
    part = screen.insight.verdict
    screen.insight.setCurrentWidget(part)
    assert screen.insight.tabText(3) == "Verdict !" and "shoots up" in screen.insight.tabToolTip(3)
    assert part.kind.text() == "Diverges"
    assert part.turn.text() == "Set the highest learning rate to 0.003"
    qtbot.mouseClick(part.turn, Qt.MouseButton.LeftButton)
    assert project_session.project.recipe.classify.lr_max == 0.003


def test_the_best_epoch_is_looked_at_when_the_run_is_over(tabs):
    epochs = tabs().epochs
    told = [EpochEnded(number, 0, number, {"valid_loss": 1.0}, best=number < 3) for number in range(40)]
    epochs.show_events(told)
    seen = epochs.viewport().rect()
    assert seen.contains(epochs.visualItemRect(epochs.item(39, 0)))
    epochs.show_events([*told, Ended("done")])
    assert epochs.item(2, 0).text() == "★ 3" and seen.contains(epochs.visualItemRect(epochs.item(2, 0)))


def test_a_verdicts_advice_is_a_remark_elsewhere(project_session, write_run):
    log = write_run(project_session.project, "classify", per_epoch=5) / "events.jsonl"
    assert remark(read_events(log)) == remark([]) == ""
    log.write_text(log.read_text().replace('"done", "reason": ""', '"failed", "reason": "training diverged"'))
    assert remark(read_events(log)) == "diverges"


def test_no_answer_makes_the_tabs_take_height_from_the_plots(tabs):
    made = tabs()
    before = made.minimumSizeHint().height()
    made.quick_try.bars.set_values({f"label {number}": 0.1 for number in range(10)}, "label 1")
    assert made.minimumSizeHint().height() == before
    assert not made.hasHeightForWidth()


def wait_for_steps(qtbot, session):
    path = session.run_folder / "steps.f32"
    qtbot.waitUntil(lambda: path.exists() and path.stat().st_size > 600, timeout=60_000)


def test_the_model_in_training_is_tried_while_paused_and_from_both_screens(qtbot, project_session, run_job):
    for name, value in {"finetune.enabled": False, "classify.epochs": 200, "classify.unfreezing": "all"}.items():
        project_session.change(name, value)
    for job in ("import", "vocab"):
        assert run_job(project_session, job).status == "done"
    screen, other = ClassifyScreen(project_session), TryItScreen(project_session)
    for each in (screen, other):
        qtbot.addWidget(each)
        each.show()
    quick = screen.insight.quick_try
    assert not quick.text.isEnabled() and "type a text" in quick.hint.text()
    assert project_session.start("classify")
    wait_for_steps(qtbot, project_session)
    quick.text.setText(LONG)
    qtbot.keyClick(quick.text, Qt.Key.Key_Return)
    qtbot.waitUntil(lambda: "as of step" in quick.hint.text(), timeout=60_000)
    assert "%" in quick.bars.accessibleDescription()
    project_session.pause()
    other.classifier.text.setPlainText("He wept beside the cold grave")
    assert not other.classifier.source.isEnabled(), "there is no saved one to choose"
    qtbot.waitUntil(lambda: "as of step" in other.classifier.hint.text(), timeout=60_000)
    assert other.classifier.watch.isEnabled()
    qtbot.mouseClick(other.classifier.watch, Qt.MouseButton.LeftButton)
    assert [each.text for each in project_session.project.recipe.insight.watched] == ["He wept beside the cold grave"]
    project_session.stop()
    qtbot.waitUntil(lambda: project_session.job is None, timeout=60_000)
    assert not quick.text.isEnabled() and "type a text" in quick.hint.text(), "the answer was of a model that is gone"
    assert quick.bars.accessibleDescription() == ""
    assert not other.classifier.source.isVisible() and not other.classifier.text.isEnabled()


def test_a_language_model_in_training_goes_on_with_a_text(qtbot, project_session, run_job):
    project_session.change("finetune.epochs", 200)
    for job in ("import", "vocab"):
        assert run_job(project_session, job).status == "done"
    screen, other = FinetuneScreen(project_session), TryItScreen(project_session)
    for each in (screen, other):
        qtbot.addWidget(each)
        each.show()
    assert project_session.start("finetune")
    wait_for_steps(qtbot, project_session)
    quick = screen.insight.quick_try
    quick.text.setText("The sun")
    quick.ask()
    qtbot.waitUntil(lambda: quick.written.text().startswith("The sun"), timeout=60_000)
    other.writer.prompt.setText("The rain")
    other.writer._write()
    qtbot.waitUntil(lambda: "The rain" in other.writer.written.toPlainText(), timeout=60_000)
    assert "as of step" in other.writer.written.toPlainText()


def test_every_part_has_a_name_and_a_tip(tabs):
    made = tabs("finetune")
    for part in (made.writes.prompt, made.writes.temperature, made.writes.texts, made.watched.text, made.watched.table,
                 made.quick_try.text):  # fmt: skip
        assert part.accessibleName(), part
    for part in (made.writes.prompt, made.writes.temperature, made.writes.texts, made.watched.text, made.watched.label,
                 made.watched.add_button, made.watched.remove_button, made.quick_try.text, made.quick_try.ask_button,
                 made.quick_try.watch_button, made.verdict.turn):  # fmt: skip
        assert part.toolTip(), part
    assert not [label for label in made.findChildren(QLabel) if "  " in label.text()]
