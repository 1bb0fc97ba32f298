"""German tweets, then six emotions, go through the window as someone would take them who sees it for the first time.

Nothing is set but what the data asks for: the columns and the test file of the tweets; all else stays as it is offered.
ULMFIT_E2E_OUT keeps pictures of the screen and the figures.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtWidgets import QPlainTextEdit

from studio.main_window import MainWindow
from tests.e2e.hand import Hand
from tests.e2e.test_the_whole_way import TRAINING_SECONDS, last_run, project_of, wait_until_done

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(3600)]


@dataclass(frozen=True)
class Case:
    """A set of texts; `rows` with a label by split as its maker counts them, 0 where the program sets them aside."""

    name: str
    file: str
    test: str
    label: str
    guessed: list[str]
    classes: int
    rows: int
    text: str
    answers: set[str]


CASES = (
    Case(
        "Tweets", "germeval2018/germeval2018.training.txt", "germeval2018/germeval2018.test.txt", "Column 2", ["1"], 2,
        5009 + 3532,
        "Danke an alle, das war ein wunderbarer Abend mit euch!", {"OTHER", "OFFENSE"},
    ),
    Case(
        "Emotions", "emotion/emotion16k.csv", "", "label_name", ["text"], 6, 16_000,
        "i feel so happy and thankful that you came to see me today",
        {"joy", "sadness", "anger", "fear", "love", "surprise"},
    ),
)  # fmt: skip


def test_sets_of_other_kinds_go_through_the_window(
    window: MainWindow, hand: Hand, data_folder: Path, tmp_path: Path
) -> None:
    figures = {case.name: go_through(hand, window, case, data_folder, tmp_path) for case in CASES}
    (hand.out / "other_data.json").write_text(json.dumps(figures, indent=1, ensure_ascii=False), encoding="utf-8")
    print(json.dumps(figures, indent=1, ensure_ascii=False))


def go_through(hand: Hand, window: MainWindow, case: Case, data: Path, place: Path) -> dict[str, Any]:
    for name in filter(None, (case.file, case.test)):
        if not (data / name).exists():
            pytest.skip(f"needs {data / name}")
    make_project(hand, window, case.name, place)
    import_the_file(hand, window, case, data)
    hand.click("Next: Vocabulary")
    do(hand, window, case, "vocab", "Build the vocabulary", 300)
    for step, following in (("finetune", "Next: Fine-tune"), ("classify", "Next: Classify")):
        hand.click(following)
        do(hand, window, case, step, "Start", TRAINING_SECONDS)
    hand.click("Next: Evaluate")
    do(hand, window, case, "evaluate", "Evaluate", 600)
    hand.click("Next: Try it")
    answer = type_a_text(hand, window, case)
    report = json.loads((last_run(window, "evaluate").folder / "report.json").read_text(encoding="utf-8"))
    assert answer in case.answers and report["accuracy"] > report["majority"]
    kept = ("rows", "accuracy", "macro_f1", "baseline_tfidf", "majority")
    return {name: report[name] for name in kept} | {"answer": answer}


def make_project(hand: Hand, window: MainWindow, name: str, place: Path) -> None:
    if window.session.project:
        hand.key("ctrl+n")
    else:
        hand.click("New project")
    hand.fill("Name of the project", name)
    hand.fill("Folder in which the project is made", str(place))
    hand.click("Another language, or from scratch")
    hand.click("Quick")
    hand.click("Create project")
    hand.wait(lambda: window.session.project and project_of(window).folder == place / name, "the project")


def import_the_file(hand: Hand, window: MainWindow, case: Case, data: Path) -> None:
    screen = lambda: window.screens["dataset"]  # noqa: E731  # each project has screens of its own
    hand.fill("Labelled texts", str(data / case.file), leave="Return")
    hand.wait(lambda: screen().preview.table.rowCount(), "the first rows")
    assert screen().draft.text == case.guessed, "the program found the texts by itself"
    hand.choose("Column that holds the label", case.label)
    if case.test:
        hand.choose("How rows are kept aside", "Separate files")
        hand.fill("Test file", str(data / case.test))
    hand.picture(f"{case.name}-data")
    hand.click("Import")
    wait_until_done(hand, window, "import", 300)
    hand.wait(lambda: screen().imported.table.rowCount() == case.classes, "the count of the classes")
    hand.picture(f"{case.name}-imported")
    facts = last_run_report(window, "import")
    assert len(facts["classes"]) == case.classes and sum(facts["classes"].values()) == case.rows


def last_run_report(window: MainWindow, step: str) -> dict[str, Any]:
    lines = (last_run(window, step).folder / "events.jsonl").read_text(encoding="utf-8").splitlines()
    report: dict[str, Any] = json.loads(lines[-1])["report"]
    return report


def do(hand: Hand, window: MainWindow, case: Case, step: str, button: str, seconds: float) -> None:
    hand.wait(lambda: window.current == step, f"the screen of {step}")
    hand.click(button)
    wait_until_done(hand, window, step, seconds)
    hand.picture(f"{case.name}-{step}")


def type_a_text(hand: Hand, window: MainWindow, case: Case) -> str:
    part = window.screens["try_it"].classifier
    hand.click("Text to classify", QPlainTextEdit)
    hand.type(case.text)
    hand.wait(lambda: part._answer and part._answer.text == case.text, "the answer to the whole text")
    hand.picture(f"{case.name}-try_it")
    return str(part._answer.label)
