"""The Vocabulary screen: settings, what a built vocabulary is worth, a text of one's own, a build that was cut off."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from PySide6.QtCore import QEvent, QPointF, Qt

from studio.main_window import MainWindow
from studio.screens.token_lists import meaning, unknown_text, visible
from studio.screens.trial import cut
from studio.screens.vocab import BUILD, CUT_OFF, GO_ON, GOES_ON, VocabScreen, load_vocabulary, report_of
from studio.screens.worth import origin_text
from studio.session import Session
from studio.widgets.size_plot import SizePlot, size_ticks
from tests.studio.conftest import HAPPY, SAD
from ulmfit_core import catalog, events
from ulmfit_core.config import DataSettings, Recipe, VocabSettings
from ulmfit_core.events import Ended, Progress
from ulmfit_core.project import Project
from ulmfit_core.run import Control, Run, launch
from ulmfit_core.text.rules import SPECIALS

# A hiragana and an emoji that the texts of the small project do not have.
STRANGE = "The sun あ sang 😀"


def import_rows(folder: Path, texts: list[str]) -> Project:
    """A project of 60 rows: each text ten times with another number."""
    rows = [f"{text} {number}.,{'ab'[place % 2]}" for number in range(10) for place, text in enumerate(texts)]
    path = folder.with_suffix(".csv")
    path.write_text("\n".join(["text,label", *rows]) + "\n", encoding="utf-8")
    data = DataSettings(data=str(path), text=["text"], label="label")
    project = Project.create(folder, Recipe(data=data, vocab=VocabSettings(size=150)))
    assert launch(project, "import").status == "done"
    return project


@pytest.fixture(scope="module")
def projects(tmp_path_factory) -> dict[str, Path]:
    """One whose data is imported, and one whose vocabulary is built, too."""
    folder = tmp_path_factory.mktemp("vocab")
    import_rows(folder / "imported", HAPPY + SAD)
    shutil.copytree(folder / "imported", folder / "built")
    assert launch(Project.open(folder / "built"), "vocab").status == "done"
    return {name: folder / name for name in ("imported", "built")}


def open_copy(session: Session, project: Path, tmp_path: Path, qtbot) -> VocabScreen:
    shutil.copytree(project, tmp_path / "project")
    session.open(tmp_path / "project")
    screen = VocabScreen(session)
    screen.resize(1000, 700)
    qtbot.addWidget(screen)
    screen.show()
    qtbot.waitExposed(screen)
    return screen


@pytest.fixture
def screen(session: Session, projects, tmp_path: Path, qtbot) -> VocabScreen:
    """Of a project whose data is imported."""
    return open_copy(session, projects["imported"], tmp_path, qtbot)


@pytest.fixture
def built(session: Session, projects, tmp_path: Path, qtbot) -> VocabScreen:
    """Of a project whose vocabulary is built."""
    screen = open_copy(session, projects["built"], tmp_path, qtbot)
    qtbot.waitUntil(lambda: not screen._loading.busy and screen.pieces.rowCount() > 0)
    return screen


def build(screen: VocabScreen, qtbot) -> dict:
    """Press the button; the report of the build."""
    with qtbot.waitSignal(screen.session.run_ended, timeout=60_000) as ended:
        qtbot.mouseClick(screen.bar.start, Qt.MouseButton.LeftButton)
    assert ended.args[1].status == "done", ended.args[1].reason
    qtbot.waitUntil(lambda: not screen._loading.busy and screen.pieces.rowCount() > 0)
    return ended.args[1].report


def write(screen: VocabScreen, text: str, qtbot) -> None:
    screen.trial.text.setText(text)
    qtbot.waitUntil(lambda: not screen.trial._asking.busy)


# What it is worth


def test_before_the_build_it_says_what_will_appear(screen: VocabScreen) -> None:
    assert screen.tabs.currentIndex() == 2 and "Build the vocabulary" in screen.trial.count.text()
    screen.tabs.setCurrentIndex(0)
    assert screen.worth.nothing.isVisible() and not screen.worth.plot.isVisible()
    screen.tabs.setCurrentIndex(1)
    assert "Build the vocabulary" in screen.lists.hint.text() and not screen.pieces.isVisible()
    assert screen.bar.start.isEnabled()


def test_after_the_build_it_shows_figures_and_both_curves(screen: VocabScreen, qtbot) -> None:
    report = build(screen, qtbot)
    newest = screen.session.project.finished_run("vocab")
    assert newest and report_of(newest.folder) == json.loads(json.dumps(report))
    assert screen.worth.plot.isVisible() and not screen.worth.nothing.isVisible()
    assert f"{report['size']:,} pieces" in screen.worth.figures.text()
    assert f"{report['tokens_per_word']:.2f} tokens a word" in screen.worth.figures.text()
    x, y = screen.worth.plot.length._line.getData()
    assert [round(2**place) for place in x] == [row["size"] for row in report["by_size"]] and len(x) > 2
    assert list(y) == [row["tokens_per_word"] for row in report["by_size"]] and y[0] > y[-1]
    chosen = screen.worth.plot.length._chosen.getData()
    assert (chosen[0][0], chosen[1][0]) == (x[-1], y[-1]), "the diamond is the vocabulary that was built"
    assert "shorter sequences" in screen.worth.reading.text() and not screen.worth.origin.isVisible()
    assert screen.bar.label.text() == "Built with these settings."


def test_the_mouse_over_a_plot_reads_the_values_of_the_nearest_size(qtbot) -> None:
    plot = SizePlot()
    qtbot.addWidget(plot)
    plot.resize(900, 300)
    plot.show()
    rows = [(1000, 3.0, 0.1), (2000, 2.0, 0.05), (4000, 1.5, 0.02)]
    plot.show_sizes([dict(zip(("size", "tokens_per_word", "unknown"), row)) for row in rows])
    qtbot.waitExposed(plot)
    box = plot.length.plot.getPlotItem().getViewBox()
    plot.length.plot.scene().sigMouseMoved.emit(box.mapViewToScene(QPointF(11.1, 2.5)))
    assert plot.length.legend.text() == "<b>2,000: 2.00 tokens a word</b>"
    plot.length.leaveEvent(QEvent(QEvent.Type.Leave))
    assert "◆</span>&nbsp;this&nbsp;one" in plot.length.legend.text()
    assert plot.length.plot.accessibleDescription().count("tokens a word") == 3
    # 0.05 of 2.0 tokens a word are as many as 0.0667 of 1.5.
    assert "2,000: 93.33% known" in plot.known.plot.accessibleDescription()
    assert plot.known.plot.getAxis("left").tickStrings([0.985, 1.0], 1, 0.005) == ["98.5%", "100%"]


def test_both_plots_are_stacked_where_it_is_narrow(qtbot) -> None:
    plot = SizePlot()
    qtbot.addWidget(plot)
    plot.show_sizes([{"size": size, "tokens_per_word": 2, "unknown": 0} for size in (50, 100)])
    plot.show()
    for width, stacked in ((900, False), (400, True), (901, False)):
        plot.resize(width, 500)
        qtbot.waitUntil(lambda: plot.stacked == stacked)  # noqa: B023
    assert [place for place, _ in size_ticks([1000, 7900, 8000])] == pytest.approx([12.97, 9.97], abs=0.01)


def test_characters_have_one_curve_and_are_called_characters(screen: VocabScreen, qtbot) -> None:
    screen.form.changed.emit("kind", "char")
    report = build(screen, qtbot)
    assert f"{report['size']} characters" in screen.worth.figures.text()
    assert screen.worth.plot.known.isVisible() and not screen.worth.plot.length.isVisible()
    assert "character" in screen.worth.reading.text()


@pytest.mark.parametrize(
    ("report", "words"),
    [
        ({}, ""),
        ({"shared": None}, ""),
        ({"shared": 1.0, "origin": "taken"}, "the pretrained model's vocabulary"),
        ({"shared": 0.75, "origin": "extended"}, "75.0% of its tokens are the pretrained model's. The others are new"),
        ({"shared": 0.25, "origin": "learned"}, "The other 75.0% start from the mean of all"),
    ],
)
def test_the_overlap_is_told_in_words(report, words) -> None:
    assert words in origin_text(report) and bool(origin_text(report)) == bool(words)


# Tokens


def test_frequent_tokens_stand_there_with_how_often_and_what_they_mean(built: VocabScreen) -> None:
    rows = built.pieces.texts()
    assert [row[1] for row in rows] == [f"{count:,}" for _, count in built._report["frequent"]]
    assert ["“xxbos”", "60", "a text begins"] in rows
    assert "knows every token" in built.lists.unknown_hint.text() and built._report["not_known"] == []


def test_whole_words_are_called_words_and_what_is_unknown_is_listed_with_what_helps(screen: VocabScreen, qtbot) -> None:
    screen.form.changed.emit("kind", "word")
    screen.form.changed.emit("min_frequency", 20)
    report = build(screen, qtbot)
    assert "words" in screen.worth.figures.text() and "pieces" not in screen.worth.figures.text()
    assert screen.pieces.horizontalHeaderItem(0).text() == "Word" and "within a word" in screen.lists.hint.text()
    assert screen.lists.unknown.texts() == [[f"“{word}”", str(count)] for word, count in report["not_known"]]
    assert len(report["not_known"]) > 5 and f"{report['sample']:,} characters" in screen.lists.unknown_hint.text()
    assert report["unknown"] > 0.1 and "Rarest word" in screen.worth.remedy.text()
    screen.worth.show_report({**report, "unknown": 0.001, "transductive": True}, "words")
    assert not screen.worth.remedy.text() and screen.worth.note.isVisible()


def test_what_is_rare_beyond_the_sample_is_not_called_none() -> None:
    assert "None in a sample of 9 characters. Of the tokens of all texts 0.012 %" in unknown_text(
        {"unknown": 0.00012, "not_known": [], "sample": 9}
    )


def test_a_report_from_before_there_were_facts_shows_what_it_has(built: VocabScreen, qtbot) -> None:
    screen, report = built, built._report
    old = {name: report[name] for name in ("size", "tokens", "tokens_per_word", "unknown", "seconds")}
    run = Run(screen.session.project.new_run_folder("vocab"))
    run.emit(Ended("done", report=old))
    run.close()
    screen.session.project_changed.emit()
    qtbot.waitUntil(lambda: screen.pieces.horizontalHeaderItem(0).text() == "Rank")
    assert "tokens a word" in screen.worth.figures.text() and not screen.worth.plot.isVisible()
    assert not screen.lists.right.isVisible()
    assert not any(row[1].startswith("“xx") for row in screen.pieces.texts())


def test_what_was_reported_of_another_vocabulary_is_not_shown_with_this_one(built: VocabScreen) -> None:
    assert built.worth.figures.text()
    built._report = {**built._report, "hash": "another"}
    built._show_vocabulary(load_vocabulary(built.session.project.vocab_folder))
    assert built.worth.figures.text() == "" and built.pieces.rowCount() > 0
    assert built.worth.nothing.isVisible() and not built.worth.plot.isVisible()


def test_what_has_no_look_of_its_own_can_be_seen() -> None:
    assert visible("\n\n") == "↵↵"
    assert visible("▁the") == "▁the" and visible("\x96") == "U+0096"
    assert all(meaning(name) for name in SPECIALS) and "byte" in meaning("<0xE6>") and not meaning("▁the")


# A text of one's own


def test_each_rule_set_shows_what_it_makes_of_the_typed_text(screen: VocabScreen, qtbot) -> None:
    text = "WOW!!! Émile paid 1000"
    write(screen, text, qtbot)
    for name, label in screen.trial.after.items():
        shown = label.text().replace(" ", "")
        assert shown == catalog.resolve("rules", name)(text).replace(" ", "") and label.isVisible()
    assert screen.trial.after["ulmfit"].text().startswith("xxup wow xxrep 3 !"), "marks stand apart to be read"
    assert "xxup: a word in capitals follows" in screen.trial.meanings.text()
    assert "xxwrep" not in screen.trial.meanings.text(), "only marks that are there are explained"
    assert len({label.text() for label in screen.trial.after.values()}) == 3
    screen.form.changed.emit("rules", "plain")
    assert [name for name, label in screen.trial.names.items() if "chosen" in label.text()] == ["plain"]


def test_a_typed_text_is_cut_as_one_types(built: VocabScreen, qtbot) -> None:
    screen = built
    screen.tabs.setCurrentIndex(2)
    screen.trial.text.clear()
    qtbot.keyClicks(screen.trial.text, "The sun")
    qtbot.waitUntil(lambda: "for 2 words" in screen.trial.count.text())
    assert "xxmaj" in screen.trial.tokens.toPlainText()


def test_unknown_tokens_are_marked_in_words(built: VocabScreen, qtbot) -> None:
    screen = built
    write(screen, STRANGE, qtbot)
    shown = screen.trial.tokens.toPlainText().replace("\xa0", " ")
    assert "あ → xxunk" in shown and "😀 → xxunk" in shown
    assert "Struck through" in screen.trial.count.text()
    assert screen.trial.tokens.toHtml().count("line-through") == 2
    write(screen, "The sun", qtbot)
    assert "Struck through" not in screen.trial.count.text()


def test_bytes_stand_beside_the_character_that_they_write(screen: VocabScreen, qtbot) -> None:
    screen.form.changed.emit("size", 450)
    screen.form.changed.emit("byte_fallback", True)
    build(screen, qtbot)
    write(screen, STRANGE, qtbot)
    shown = screen.trial.tokens.toPlainText().replace("\xa0", " ")
    assert "あ = E3 81 82" in shown and "😀 = F0 9F 98 80" in shown and "<0x" not in shown
    vocabulary = screen.trial._vocabulary
    told = int(screen.trial.count.text().split()[0])
    assert told == len(vocabulary.tokens(STRANGE)) > len(cut(STRANGE, vocabulary))
    assert [token.kind for token in cut("あxxunk", vocabulary) if token.kind != "piece"] == ["mark", "bytes", "unknown"]


# Settings


def test_a_size_that_was_never_touched_follows_the_kind(screen: VocabScreen) -> None:
    vocab = screen.session.project.recipe.vocab
    screen.form.changed.emit("kind", "word")
    assert vocab.size == 150
    for kind, size, unit in (("unigram", 8000, "pieces"), ("word", 60_000, "words"), ("char", 5000, "characters")):
        screen.form.changed.emit("size", 8000) if kind == "unigram" else None
        screen.form.changed.emit("kind", kind)
        assert (vocab.size, screen.form.control("size").suffix()) == (size, f" {unit}")


@pytest.mark.parametrize(
    ("kind", "shown"),
    [
        ("unigram", {"coverage", "byte_fallback"}), ("bpe", {"coverage", "byte_fallback"}),
        ("char", {"coverage", "byte_fallback"}), ("word", {"min_frequency"}),
    ],
)  # fmt: skip
def test_only_settings_that_count_for_the_kind_are_shown(screen: VocabScreen, kind, shown) -> None:
    screen.form.changed.emit("kind", kind)
    screen.form.advanced.heading.click()
    of_kinds = {"coverage", "byte_fallback", "min_frequency"}
    assert {name for name in of_kinds if screen.form.rows[name].isVisible()} == shown
    assert screen.form.control("kind").currentText() != kind.capitalize(), "kinds have names"


@pytest.fixture
def base(tmp_path: Path) -> Path:
    """A language model to start from, as far as this screen reads one: what describes it, and its vocabulary.

    The same characters in another order make other pieces.
    """
    other = import_rows(tmp_path / "other", [text[::-1] for text in HAPPY + SAD])
    assert launch(other, "vocab").status == "done"
    folder = tmp_path / "base"
    shutil.copytree(other.vocab_folder, folder)
    network = {"embedding": 8, "hidden": 8, "layers": 2}
    facts = {"kind": "language_model", "network": network, "vocabulary": {"size": 99}}
    (folder / "model.json").write_text(json.dumps(facts))
    return folder


def test_a_pretrained_model_brings_its_vocabulary_and_rules(screen: VocabScreen, base: Path, qtbot) -> None:
    screen.form.changed.emit("rules", "plain")
    screen.session.change("base", str(base))
    rows = screen.form.rows
    assert rows["reuse"].isVisible() and rows["extend"].isVisible() and not rows["size"].isVisible()
    assert screen.form.control("extend").text() == "none" and not screen.form.advanced.isVisible()
    assert screen.about.text().startswith("Texts are cut with the pretrained model's vocabulary")
    screen.tabs.setCurrentIndex(2)
    assert screen.trial.after["ulmfit"].isVisible() and not screen.trial.after["plain"].isVisible()
    assert build(screen, qtbot)["origin"] == "taken"
    assert "This is the pretrained model's vocabulary" in screen.worth.origin.text()


def test_a_pretrained_vocabulary_is_extended_or_replaced(screen: VocabScreen, base: Path, qtbot) -> None:
    screen.session.change("base", str(base))
    screen.form.changed.emit("extend", 10)
    assert "mean of the pieces" in screen.about.text() and screen.form.advanced.isVisible()
    report = build(screen, qtbot)
    assert report["origin"] == "extended" and "The others are new" in screen.worth.origin.text()
    screen.form.changed.emit("reuse", False)
    screen.form.changed.emit("size", 120)
    assert screen.form.rows["size"].isVisible() and not screen.form.rows["extend"].isVisible()
    assert build(screen, qtbot)["origin"] == "learned" and "keep what" in screen.worth.origin.text()


def test_what_cannot_be_extended_is_not_offered_for_it(screen: VocabScreen, base: Path) -> None:
    facts = json.loads((base / "vocab.json").read_text())
    (base / "vocab.json").write_text(json.dumps({**facts, "kind": "word"}))
    screen.session.change("base", str(base))
    assert not screen.form.control("extend").isEnabled() and "cannot be extended" in screen.about.text()


def test_a_changed_setting_is_saved_and_makes_it_stale(built: VocabScreen) -> None:
    screen = built
    screen.form.changed.emit("size", 140)
    assert screen.session.project.recipe.vocab.size == 140
    assert screen.session.project.state("vocab").mark == "stale"
    assert screen.bar.label.text().startswith("Built with other settings")


# Building


def test_a_build_can_be_stopped(screen: VocabScreen, qtbot) -> None:
    with qtbot.waitSignal(screen.session.run_ended, timeout=60_000):
        screen.bar.start.click()
        assert screen.bar.stop.isVisible()
        screen.bar.stop.click()
    assert screen.bar.start.isVisible() and screen.session.job is None


def stop_while_encoding(session: Session) -> None:
    """A build that learned its vocabulary and then broke off."""
    control = Control()

    def listen(event: events.Event) -> None:
        if isinstance(event, Progress) and event.label.startswith("Encoding"):
            control.stop()

    assert launch(session.project, "vocab", control=control, sink=listen).status == "stopped"


def test_a_build_that_was_cut_off_offers_to_go_on(screen: VocabScreen, qtbot) -> None:
    assert screen.bar.start.text() == BUILD
    stop_while_encoding(screen.session)
    screen.session.project_changed.emit()
    qtbot.waitUntil(lambda: screen.bar.start.text() == GO_ON)
    assert screen.bar.label.text() == GOES_ON and screen.bar.start.isEnabled()
    screen.form.changed.emit("size", 140)
    qtbot.waitUntil(lambda: screen.bar.start.text() == BUILD)
    screen.form.changed.emit("size", 150)
    qtbot.waitUntil(lambda: screen.bar.start.text() == GO_ON)
    said: list[str] = []
    screen.session.event.connect(lambda event: said.append(getattr(event, "text", "")))
    build(screen, qtbot)
    assert any("stands already" in text for text in said) and screen.notice.text == ""
    assert screen.bar.start.text() == BUILD and screen.bar.label.text() == "Built with these settings."


def test_a_build_that_was_cut_off_before_the_texts_begins_anew(screen: VocabScreen, qtbot) -> None:
    screen.session.project.new_run_folder("vocab")
    screen.session.project_changed.emit()
    qtbot.waitUntil(lambda: not screen._asking.busy)
    assert screen.bar.label.text() == CUT_OFF and screen.bar.start.text() == BUILD


def test_without_data_it_waits(window: MainWindow, project_session: Session) -> None:
    window.go("vocab")
    bar = window.screens["vocab"].bar  # type: ignore[attr-defined]
    assert not bar.start.isEnabled() and bar.label.text() == "Waits for “Data”."
