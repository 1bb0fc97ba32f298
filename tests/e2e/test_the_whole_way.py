"""From a CSV of reviews to a typed review's answer through every screen, by mouse and keyboard alone.

What was trained by hand in the window then scores as the command line says. ULMFIT_E2E_ROWS takes fewer reviews
than 4,000, ULMFIT_E2E_OUT keeps pictures of the screen and the figures.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PySide6.QtWidgets import QAbstractSpinBox, QApplication, QPlainTextEdit

from studio import theme
from studio.main_window import MainWindow
from studio.screens.try_it_words import headline
from tests.e2e.hand import Hand
from tests.e2e.material import Material
from ulmfit_core import events
from ulmfit_core.project import Project, RunInfo
from ulmfit_core.run import read_steps

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(3600)]

TRAINING_SECONDS = 2400
# About as long as the texts it learned from, and not all of one mind: a probability worth comparing.
REVIEW = (
    "I went to see this film because a friend had told me how funny it is, and for the first half hour I laughed a "
    "lot. The acting is good and I liked the music. Then the story slows down, the jokes repeat themselves, and the "
    "end is far too long. Still, there are some lovely moments between the two sisters, and the old man is simply "
    "great. See it on a rainy evening, but do not expect too much."
)
LONGEST_TEXT = 150
# A look at each of the language model's texts is enough here; the classifier needs a few with all layers trained.
EPOCHS = {"pretrain": 1, "finetune": 1, "classify": 8}
NEXT = {"pretrain": "Next: Fine-tune", "finetune": "Next: Classify", "classify": "Next: Evaluate"}


@dataclass(frozen=True)
class Answer:
    """What Try it says: the row that a kept try leaves (answer, its probability, text), and all probabilities."""

    row: list[str]
    probabilities: dict[str, float]


def test_a_person_trains_a_classifier_and_asks_it(
    window: MainWindow, hand: Hand, material: Material, tmp_path: Path
) -> None:
    minutes: dict[str, float] = {}
    make_project(hand, window, tmp_path)
    import_the_reviews(hand, window, material)
    build_the_vocabulary(hand, window)
    for step in EPOCHS:
        began = time.monotonic()
        train(hand, window, step)
        minutes[step] = round((time.monotonic() - began) / 60, 1)
    rates_form_triangles_and_groups_join_one_by_one(last_run(window, "classify"))
    shown = evaluate(hand, window)
    answer = type_a_review(hand, window)
    report = agrees_with_the_command_line(window, material, shown, answer)
    tell(hand, window, report, minutes, answer)


# The way through the window


def make_project(hand: Hand, window: MainWindow, place: Path) -> None:
    hand.picture("welcome")
    hand.click("New project")
    hand.fill("Name of the project", "Film reviews")
    hand.fill("Folder in which the project is made", str(place))
    hand.click("Another language, or from scratch")
    hand.click("Quick")
    hand.click("Create project")
    hand.wait(lambda: window.session.project, "the project")
    assert project_of(window).folder == place / "Film reviews"
    assert project_of(window).recipe.preset == "quick"


def import_the_reviews(hand: Hand, window: MainWindow, material: Material) -> None:
    hand.fill("Labelled texts", str(material.reviews), leave="Return")
    hand.wait(lambda: window.screens["dataset"].preview.table.rowCount(), "the first rows")
    hand.tick("Columns that hold the text", "text")
    hand.choose("Column that holds the label", "rating")  # no guess of the program's
    hand.choose("Column that holds the label", "label")
    hand.choose("How rows are kept aside", "Separate files")
    hand.fill("Test file", str(material.held_out))
    hand.fill("General text", str(material.corpus))
    hand.picture("data")
    hand.click("Import")
    wait_until_done(hand, window, "import", 300)
    data = project_of(window).recipe.data
    assert (data.data, data.text, data.label) == (str(material.reviews), ["text"], "label")
    assert (data.test, data.corpus) == (str(material.held_out), str(material.corpus))
    hand.wait(lambda: window.screens["dataset"].imported.table.rowCount() == 2, "the count of both classes")
    hand.picture("imported")
    hand.click("Next: Vocabulary")


def build_the_vocabulary(hand: Hand, window: MainWindow) -> None:
    hand.fill("Longest text", str(LONGEST_TEXT), QAbstractSpinBox)
    hand.wait(lambda: project_of(window).recipe.vocab.max_tokens == LONGEST_TEXT, "the setting to be saved")
    hand.click("Build the vocabulary")
    wait_until_done(hand, window, "vocab", 300)
    hand.wait(lambda: window.screens["vocab"].pieces.rowCount(), "the pieces")
    hand.picture("vocabulary")
    hand.click("Next: Pretrain")


def train(hand: Hand, window: MainWindow, step: str) -> None:
    """Set the epochs, start, watch, wait; pretraining is paused once, then the window turns dark."""
    hand.wait(lambda: window.current == step, f"the screen of {step}")
    hand.fill("Epochs", str(EPOCHS[step]), QAbstractSpinBox)
    hand.wait(lambda: getattr(project_of(window).recipe, step).epochs == EPOCHS[step], "the setting to be saved")
    hand.click("Start")
    hand.wait(lambda: window.session.job == step, f"{step} to begin")
    if step == "pretrain":
        pause_and_continue(hand, window)
        turn_dark(hand)
    picture_halfway(hand, window, step)
    wait_until_done(hand, window, step, TRAINING_SECONDS)
    hand.picture(step)
    hand.click(NEXT[step])


def pause_and_continue(hand: Hand, window: MainWindow) -> None:
    hand.wait(lambda: steps_done(window), "the first step", 300)
    hand.click("Pause")
    hand.wait(lambda: hand.sees("Continue"), "the pause")
    hand.wait(lambda: still(hand, window), "the training to hold")
    hand.picture("paused")
    before = steps_done(window)
    hand.click("Continue")
    hand.wait(lambda: steps_done(window) > before, "the training to go on")


def still(hand: Hand, window: MainWindow) -> bool:
    """Whether no step is finished for two seconds."""
    before, until = steps_done(window), time.monotonic() + 2
    hand.wait(lambda: time.monotonic() > until, "two seconds to pass")
    return steps_done(window) == before


def turn_dark(hand: Hand) -> None:
    hand.key("alt+v")
    hand.wait(QApplication.activePopupWidget, "the menu View")
    hand.key("d")
    hand.wait(lambda: theme.current() == "dark", "the dark theme")


def picture_halfway(hand: Hand, window: MainWindow, step: str) -> None:
    plot = window.screens[step].plot
    hand.wait(
        lambda: not window.session.job or (plot.curves.count > 0.6 * plot.plan.total_steps if plot.plan else False),
        f"more than half of {step}",
        TRAINING_SECONDS,
    )
    hand.picture(f"{step}-at-work")


def evaluate(hand: Hand, window: MainWindow) -> dict[str, str]:
    """What the screen says: accuracy and on how many rows."""
    hand.click("Evaluate")
    wait_until_done(hand, window, "evaluate", 600)
    report = window.screens["evaluate"].report
    hand.wait(report.accuracy.isVisible, "the figures")
    hand.picture("evaluate")
    shown = {"accuracy": report.accuracy.text(), "rows": report.rows.text()}
    hand.click("Next: Try it")
    return shown


def type_a_review(hand: Hand, window: MainWindow) -> Answer:
    part = window.screens["try_it"].classifier
    hand.click("Text to classify", QPlainTextEdit)
    hand.type(REVIEW)
    hand.wait(lambda: part._answer and part._answer.text == REVIEW, "the answer to the whole review")
    assert part.label.isVisible() and part.label.text() == headline(part._answer)
    hand.key("ctrl+Return")
    hand.wait(lambda: part.tries.rowCount() == 1, "the kept try")
    hand.picture("try_it")
    return Answer(part.tries.texts()[0], part._answer.probabilities)


# What must hold


def agrees_with_the_command_line(
    window: MainWindow, material: Material, shown: dict[str, str], answer: Answer
) -> dict[str, Any]:
    folder = project_of(window).folder
    written = json.loads((last_run(window, "evaluate").folder / "report.json").read_text(encoding="utf-8"))
    told = command_line("evaluate", folder, "--data", material.held_out)
    assert told["rows"] == written["rows"] == material.held_out_rows
    assert told["accuracy"] == written["accuracy"]
    assert shown["accuracy"] == f"{told['accuracy']:.1%}"
    assert f"{material.held_out_rows:,} test rows" in shown["rows"]
    [predicted] = command_line("predict", folder, REVIEW)
    chances = predicted["probabilities"]
    assert answer.row == [predicted["answer"], f"{chances[predicted['label']]:.1%}", REVIEW]
    assert answer.probabilities == pytest.approx(chances, abs=1e-6)
    return told


def command_line(command: str, folder: Path, *words: object) -> Any:
    line = [sys.executable, "-m", "ulmfit_core", command, str(folder), *map(str, words), "--json"]
    done = subprocess.run(line, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def rates_form_triangles_and_groups_join_one_by_one(run: RunInfo) -> None:
    """The plot draws these numbers: each group 2.6 below the next, one more group in each phase."""
    steps = read_steps(run.folder / "steps.f32")
    plan = next(event for event in events.read_events(run.folder / "events.jsonl") if isinstance(event, events.Plan))
    rates = np.stack([steps[name] for name in steps.rate_columns])
    assert len(steps.values) == plan.total_steps
    for number, phase in enumerate(plan.phases):
        assert phase["groups"] == plan.groups[-(number + 1) :]
        part = rates[:, phase["first_step"] : phase["last_step"]]
        learning, frozen = part[-(number + 1) :], part[: -(number + 1)]
        assert not np.nan_to_num(frozen).any(), "groups above are frozen"
        np.testing.assert_allclose(learning[1:] / learning[:-1], 2.6, rtol=1e-4)
        peak = int(learning[-1].argmax())
        assert (np.diff(learning[-1][: peak + 1]) > 0).all() and (np.diff(learning[-1][peak:]) < 0).all()


# Reading the window


def project_of(window: MainWindow) -> Project:
    assert window.session.project
    return window.session.project


def last_run(window: MainWindow, step: str) -> RunInfo:
    return [run for run in project_of(window).runs() if run.job == step][-1]


def steps_done(window: MainWindow) -> int:
    assert window.session.run_folder
    return len(read_steps(window.session.run_folder / "steps.f32").values)


def wait_until_done(hand: Hand, window: MainWindow, step: str, seconds: float) -> None:
    """The job has ended well, and the rail says so."""
    hand.wait(lambda: window.session.job == step or project_of(window).finished_run(step), f"{step} to begin")
    hand.wait(lambda: window.session.job is None, f"the end of {step}", seconds)
    screen = window.screens[window.current]
    assert project_of(window).state(step).mark == "done", screen.notice.text or window.alert.text


def tell(
    hand: Hand, window: MainWindow, report: dict[str, Any], minutes: dict[str, float], answer: Answer
) -> None:
    """Leave the figures for whoever ran this."""
    kept = ("rows", "accuracy", "macro_f1", "baseline_tfidf", "majority")
    figures = {name: report[name] for name in kept} | {"minutes": minutes, "answer": answer.row}
    text = json.dumps(figures, indent=1, ensure_ascii=False)
    (hand.out / "figures.json").write_text(text, encoding="utf-8")
    print(text)
