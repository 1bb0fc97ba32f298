"""The Predict screen: a file in, its text column seen, answers out; stop and go on; what came of it."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
from PySide6.QtCore import QMimeData, QPoint, Qt, QUrl
from PySide6.QtGui import QDragEnterEvent, QDropEvent

from studio import steps
from studio.main_window import MainWindow
from studio.screens.predict import AnswerBar, PredictScreen, kept_words, look_first, with_columns
from studio.screens.predict_options import Options, proposed
from studio.screens.predict_summary import PredictSummary, first_rows
from ulmfit_core.config import DataSettings
from ulmfit_core.data import readers
from ulmfit_core.events import Progress
from ulmfit_core.jobs import predict_file
from ulmfit_core.jobs.unfinished import State, read_state

TEXTS = ["She danced in the sun", "The grave was cold", "", "=1+1 and we sang"]


@pytest.fixture
def new_file(tmp_path: Path) -> Path:
    """Rows with an id of their own and no label; one has no text."""
    path = tmp_path / "new.csv"
    path.write_text("ticket,text\n" + "".join(f"{n},{t}\n" for n, t in enumerate(TEXTS)), encoding="utf-8")
    return path


@pytest.fixture
def screen(window: MainWindow, project_session) -> PredictScreen:
    """On a project whose classifier was not trained yet."""
    window.go("predict")
    return window.screens["predict"]  # type: ignore[return-value]


def choose(qtbot, screen: PredictScreen, path: Path) -> None:
    screen.options.file.choose(str(path))
    qtbot.waitUntil(lambda: not screen._looking.busy, timeout=30_000)


def heads(screen: PredictScreen) -> list[str]:
    table = screen.preview.table
    return [table.horizontalHeaderItem(column).text() for column in range(table.columnCount())]


def test_it_waits_for_a_classifier(screen) -> None:
    assert not screen.bar.start.isEnabled() and "no classifier yet" in screen.bar.label.text()


def test_the_projects_text_column_is_marked_and_a_place_proposed(qtbot, screen, new_file) -> None:
    choose(qtbot, screen, new_file)
    assert heads(screen) == ["text  ▸ text", "ticket"] and not screen.notice.text
    assert screen.options.out.path() == str(new_file.with_name("new-answers.csv"))
    assert screen.preview.table.item(2, 0).text() == "✕ no text"


def test_a_file_with_other_columns_is_guessed_at_and_says_so(qtbot, screen, tmp_path) -> None:
    other = tmp_path / "other.csv"
    other.write_text("n,body\n" + "".join(f"{n},{t} and so it went\n" for n, t in enumerate(TEXTS * 9)))
    choose(qtbot, screen, other)
    assert "no column “text”" in screen.notice.text and "“body”" in screen.notice.text
    assert screen.draft.text == ["body"] and "body  ▸ text" in heads(screen)
    tick = screen.options.columns.text.item(0)
    tick.setCheckState(Qt.CheckState.Checked)
    screen.options.columns.text.item(1).setCheckState(Qt.CheckState.Unchecked)
    assert screen.draft.text == ["n"] and "n  ▸ text" in heads(screen)


def test_a_file_that_cannot_be_read_says_why(qtbot, screen, refused) -> None:
    choose(qtbot, screen, refused.path)
    if screen.look.preview is None:
        assert refused.sentence in screen.notice.text and not screen.preview.table.isVisible()
    else:  # what only reading all of it shows, or has to do with labels
        assert refused.path.stem in ("broken", "oneclass", "column", "quote")


def test_a_window_that_only_reads_answers_no_file(qtbot, screen, new_file) -> None:
    screen.session.project.read_only = "Another window has this project open. Here it can only be read."
    choose(qtbot, screen, new_file)
    assert not screen.bar.start.isEnabled() and "only reads" in screen.bar.label.text()


def test_a_file_dropped_on_the_page_is_chosen(qtbot, screen, new_file) -> None:
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(str(new_file))])
    where, copy, none = QPoint(5, 5), Qt.DropAction.CopyAction, Qt.KeyboardModifier.NoModifier
    enter = QDragEnterEvent(where, copy, data, Qt.MouseButton.LeftButton, none)
    screen.dragEnterEvent(enter)
    assert enter.isAccepted() and "Let go" in screen.sentence.text()
    screen.dropEvent(QDropEvent(where, copy, data, Qt.MouseButton.LeftButton, none))
    qtbot.waitUntil(lambda: not screen._looking.busy, timeout=30_000)
    assert screen.draft.data == str(new_file) and screen.sentence.text() == screen.explanation


# Where the answers go


def test_name_and_format_follow_each_other(qtbot, tmp_path) -> None:
    options = Options()
    qtbot.addWidget(options)
    options.propose(str(tmp_path / "mail.2026.csv.gz"))
    assert Path(options.out.path()).name == "mail-answers.csv"
    options._choose_format(".parquet")
    assert Path(options.out.path()).name == "mail-answers.parquet"
    options.propose(str(tmp_path / "other.xlsx"))
    assert Path(options.out.path()).name.startswith("other-answers"), "what was proposed follows the file"
    options.out.choose(str(tmp_path / "mine.jsonl"))
    assert options.format.read() == ".jsonl"
    options.out.choose(str(tmp_path / "mine"))
    assert options.out.path() == str(tmp_path / "mine.jsonl")
    options.propose(str(tmp_path / "third.csv"))
    assert options.out.path() == str(tmp_path / "mine.jsonl"), "what the person chose stays"


def test_a_folder_is_answered_beside_itself(tmp_path) -> None:
    (tmp_path / "texts.of.today").mkdir()
    assert proposed(str(tmp_path / "texts.of.today"), ".csv") == str(tmp_path / "texts.of.today-answers.csv")


# What is taken over from the project


def test_columns_of_the_project_are_taken_where_the_file_has_them(new_file) -> None:
    project = DataSettings(data="old.csv", text=["2"], label="mood", id_column="ticket", delimiter=",")
    settings, look = look_first(new_file, project)
    assert (settings.text, settings.label, settings.id_column) == (["text"], "", "ticket")
    assert settings.delimiter == "," and look.preview.columns == ["ticket", "text"]
    alone = with_columns(DataSettings(text=["text"]), readers.preview(new_file, DataSettings(text=["text"])))
    assert alone.text == ["text"]


# The whole way


def test_answering_stopping_and_going_on(qtbot, trained_session, window, tmp_path, new_file, monkeypatch) -> None:
    window.go("predict")
    screen = window.screens["predict"]
    choose(qtbot, screen, new_file)
    screen.options.keep.click()
    assert screen.bar.start.isEnabled() and "Ready" in screen.bar.label.text()
    with qtbot.waitSignal(trained_session.run_ended, timeout=60_000):
        qtbot.mouseClick(screen.bar.start, Qt.MouseButton.LeftButton)
    out = new_file.with_name("new-answers.csv")
    rows = list(csv.DictReader(out.open(encoding="utf-8", newline="")))
    assert [row["text"] for row in rows] == ["She danced in the sun", "The grave was cold", "", "'=1+1 and we sang"]
    assert [row["ticket"] for row in rows] == ["0", "1", "", "3"] and rows[2]["reason"] == "no text"
    assert_summary_tells(qtbot, screen, out)
    assert_a_stopped_go_goes_on(qtbot, trained_session, screen, tmp_path, monkeypatch)
    assert steps.row(trained_session, "predict").mark == "ready"


def assert_summary_tells(qtbot, screen: PredictScreen, out: Path) -> None:
    summary = screen.summary
    assert screen.tabs.currentWidget() is summary and not screen.bar.start.property("primary")
    assert "3 rows answered" in summary.headline.text() and str(out) in summary.headline.text()
    assert "1 of 4 rows could not be used" in summary.headline.text()
    counts = summary.labels.texts()
    assert sum(int(row[1]) for row in counts) == 3 and summary.reasons.texts() == [["1", "no text"]]
    assert "apostrophe" in summary.notes.text()
    qtbot.waitUntil(lambda: summary.first.rowCount() == 4, timeout=10_000)
    assert summary.first._headers == ["row", "text", "answer", "probability", "ticket"]


def assert_a_stopped_go_goes_on(qtbot, session, screen: PredictScreen, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(predict_file, "ROWS", 5)
    many, out = tmp_path / "many.csv", tmp_path / "many-answers.csv"
    many.write_text("text\n" + "We danced and sang\n" * 2000, encoding="utf-8")
    screen.options.out.set_path("")  # as if nothing was chosen yet
    choose(qtbot, screen, many)
    screen._start()
    qtbot.waitUntil(lambda: bool(read_state(out) and read_state(out).told.get("rows")), timeout=60_000)
    assert steps.row(session, "predict").mark == "running"
    with qtbot.waitSignal(session.run_ended, timeout=60_000):
        qtbot.mouseClick(screen.bar.stop, Qt.MouseButton.LeftButton)
    done = read_state(out).told["rows"]
    assert 0 < done < 2000 and not out.exists() and "Go on" in screen.notice.text
    assert screen.bar.start.text() == "Go &on" and screen.anew.isVisible()
    assert f"{done:,} rows were answered" in screen.bar.label.text()
    with qtbot.waitSignal(session.run_ended, timeout=60_000):
        qtbot.mouseClick(screen.bar.start, Qt.MouseButton.LeftButton)
    assert len(out.read_text(encoding="utf-8").splitlines()) == 2001 and not screen.anew.isVisible()
    assert screen.bar.start.text() == "&Start"
    screen.options.out.choose(str(many))
    assert not screen.bar.start.isEnabled() and "the file to be read" in screen.bar.label.text()


def test_the_bar_tells_rows_their_speed_and_the_time_left(qtbot, session) -> None:
    bar = AnswerBar(session)
    qtbot.addWidget(bar)
    assert bar._told(Progress("a", 0, 1000), 0, 0, 100.0) == "0 of about 1,000 rows"
    assert bar._told(Progress("a", 500, 1000), 5, 500, 105.0) == "500 of about 1,000 rows, 100 a second, 5 s left"


def test_the_first_answers_leave_out_what_is_empty(tmp_path) -> None:
    path = tmp_path / "out.csv"
    path.write_text("row,text,label,answer,probability,p(a),p(b),reason\n2,hi  there,a,a,0.8756,0.8756,0.1244,\n")
    assert first_rows(path) == (["row", "text", "answer", "probability"], [["2", "hi there", "a", "87.6%"]])


def test_the_first_answers_say_why_there_is_none_and_whose_the_share_is(tmp_path) -> None:
    path = tmp_path / "out.csv"
    lines = ["row,text,label,answer,probability,reason", "2,hi,a,a,0.8756,", "3,,,,,no text",
             "4,ho,b,unknown,0.95,", "5,hu,a,not sure,0.4,"]  # fmt: skip
    path.write_text("\n".join(lines) + "\n")
    heads, rows = first_rows(path)
    shown = [dict(zip(heads, row, strict=True)) for row in rows]
    assert [row["answer"] for row in shown] == ["a", "– no text", "unknown", "not sure"]
    assert [row["probability"] for row in shown] == ["87.6%", "", "b 95.0%", "a 40.0%"]


def test_the_bars_of_shares_are_drawn_against_all_rows(qtbot, tmp_path) -> None:
    summary = PredictSummary()
    qtbot.addWidget(summary)
    report = {
        "rows": 4, "answered": 4, "bad_rows": 0, "labels": {"a": 1, "b": 1}, "not_sure": 1, "unknown": 1,
        "reasons": {}, "out": str(tmp_path / "out.csv"), "rows_per_second": 1.0,
    }  # fmt: skip
    summary.show_report(report, [])
    assert summary._bars.largest == 100
    qtbot.waitUntil(lambda: not summary._reading.busy, timeout=10_000)


def test_what_a_stop_kept_is_said_as_it_is() -> None:
    assert kept_words(None) == kept_words(State(10, {}, {})) == "Stopped before any answers were saved."
    assert "1,024 answered rows are kept" in kept_words(State(10, {"rows": 1024}, {}))
