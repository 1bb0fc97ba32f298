"""Two to six runs beside each other: curves, results with the better one marked, and the settings that differ."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pydantic.fields import FieldInfo
from PySide6.QtWidgets import QTabWidget, QVBoxLayout, QWidget

from studio import theme
from studio.screens.run_story import METRICS, Story, in_time, job_title, recipe_of
from studio.screens.run_tested import tested
from studio.widgets.card import line
from studio.widgets.declared import extra, label_of, zero_word
from studio.widgets.overlay import Overlay
from studio.widgets.table import RIGHT, Table
from ulmfit_core import provenance, run_settings
from ulmfit_core.run_card import FIGURES, figure_in_words, figures_of, seconds_of
from ulmfit_core.run_settings import Change, in_words
from ulmfit_core.verdict import FEW_ROWS

FEWEST, MOST = 2, 6
SECTIONS = {
    "data": "Data", "vocab": "Vocabulary", "model": "Network", "pretrain": "Pretrain", "finetune": "Fine-tune",
    "classify": "Classify",
}  # fmt: skip
# Losses and shares of a vocabulary's tokens: they say nothing beside those of another vocabulary.
OF_VOCABULARY = ("perplexity", "valid_loss", "train_loss", "next_word_accuracy")
LANGUAGE = ("pretrain", "finetune")
BETTER = "★"
VALIDATED = ("accuracy", "macro_f1", "valid_loss")  # figures of a classifier's training
RESULTS_TIP = (
    f"{BETTER} marks the better one, where the figures can be compared. Validation figures are the network's alone; "
    "test accuracy is that of the answers, in the newest evaluation of that very model."
)
ANSWERS = {"blend": "both", "calibrated": "the network", "word_counts": "word counts"}


class SideBySide(Table):
    """A column a run: all values are flush right, so that figures and words stand under each other."""

    def set_rows(self, headers: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
        super().set_rows(headers, rows)
        for row in range(self.rowCount()):
            for item in filter(None, (self.item(row, column) for column in range(1, self.columnCount()))):
                item.setTextAlignment(RIGHT)
        self._fit_columns()


class RunComparison(QWidget):
    """What differs between the chosen runs."""

    def __init__(self) -> None:
        super().__init__()
        self.stories: list[Story] = []
        self.sentence = line("", "muted")
        self.overlay = Overlay()
        self.overlay.setContentsMargins(*[theme.SMALL] * 4)
        self.results = SideBySide("Results of the chosen runs")
        self.results.setToolTip(RESULTS_TIP)
        self.settings = SideBySide("Settings that differ")
        self.settings.setToolTip("Only the settings that are not the same in all chosen runs.")
        self.settings.nothing = "All settings are the same."
        self.tabs = QTabWidget()
        self._lay_out()

    def show_stories(self, stories: list[Story]) -> None:
        """Show these runs, or what they have gained since they were shown."""
        another = [story.info.id for story in stories] != [story.info.id for story in self.stories]
        self.stories = stories
        names = names_of(stories)
        self.sentence.setText(" ".join(remarks(stories)))
        if another:
            stepped = [(name, story.info.folder) for name, story in zip(names, stories) if has_curve(story)]
            self.overlay.show_runs(stepped)
            self._show_settings(stories, names)
        self.tabs.setTabVisible(0, any(has_curve(story) for story in stories))
        self.results.set_rows(["Result", *names], result_rows(stories))

    def forget(self) -> None:
        """Let go of the runs' files."""
        self.stories = []
        self.overlay.show_runs([])

    def _show_settings(self, stories: list[Story], names: list[str]) -> None:
        found = differences(stories)
        self.settings.set_rows(["Setting", *names], [setting_row(change) for change in found])
        self.tabs.setTabText(self.tabs.indexOf(self.settings), f"Settings that differ ({len(found)})")
        for row, change in enumerate(found):
            for item in filter(None, (self.settings.item(row, column) for column in range(len(names) + 1))):
                item.setToolTip(help_of(change, item.text()))

    def _lay_out(self) -> None:
        for part, title in ((self.overlay, "Curves"), (self.results, "Results"), (self.settings, "Settings")):
            self.tabs.addTab(part, title)
        self.tabs.tabBar().setAccessibleName("What to compare of the chosen runs")
        self.tabs.tabBar().setToolTip("What to compare of the chosen runs.")
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self.sentence)
        column.addWidget(self.tabs, 1)


def has_curve(story: Story) -> bool:
    return story.stepped and not story.searched


def names_of(stories: Sequence[Story]) -> list[str]:
    """A letter each, with its time, its job where they differ, and its first tag."""
    jobs = len({story.info.job for story in stories}) > 1
    days = len({story.info.created[:10] for story in stories}) > 1
    names = []
    for letter, story in zip("ABCDEF", stories):
        day, _, hour = story.info.created.partition("T")
        parts = [letter, job_title(story.info.job) if jobs else "", day if days else "", hour, *story.info.tags[:1]]
        names.append(" ".join(filter(None, parts)))
    return names


def differences(stories: Sequence[Story]) -> list[Change]:
    """The settings that these runs' results depend on and that are not the same in all."""
    recipes = [recipe_of(story) for story in stories]
    known = [recipe for recipe in recipes if recipe]
    if len(known) < len(stories):
        return []
    keys: dict[str, None] = {}
    for story, recipe in zip(stories, known):
        if story.step in run_settings.PARTS:
            keys |= dict.fromkeys(run_settings.keys_of(recipe, story.step))
    return run_settings.changes(known, list(keys))


def setting_row(change: Change) -> list[str]:
    return [name_of(change.key), *(shown(change.field, value) for value in change.values)]


def name_of(key: str) -> str:
    section, _, name = key.rpartition(".")
    return f"{SECTIONS[section]}: {label_of(name).lower()}" if section else "Pretrained model"


def shown(field: FieldInfo, value: Any) -> str:
    """A setting's value with its unit, or the word for 0."""
    if value == 0 and not isinstance(value, bool) and zero_word(field):
        return zero_word(field)
    unit = extra(field, "unit")
    return f"{in_words(value)} {unit}" if unit and isinstance(value, int | float) else in_words(value)


def help_of(change: Change, text: str) -> str:
    """The text where it may be cut off, and what its declaration says of the setting."""
    source = extra(change.field, "source")
    told = f"{change.key}: {change.field.description}" + (f" Source: {source}." if source else "")
    return f"{text}\n\n{told}"


# Results


def result_rows(stories: Sequence[Story]) -> list[list[str]]:
    """A row a figure, the better one starred where they can be compared; who answers, where that differs."""
    figures = [figures_of(story.events) for story in stories]
    rows = [["Status", *(story.info.status for story in stories)]]
    rows.append(["Time", *(in_time(seconds_of(story.events)) for story in stories)])
    rows += answer_rows(stories)
    for name in FIGURES:
        values = [each.get(name) for each in figures]
        if any(value is not None for value in values):
            best = best_of(name, values) if comparable(name, stories) else None
            rows.append([figure_name(name, stories), *(_figure(name, value, best) for value in values)])
            rows += tested_rows(stories) if name == "accuracy" else []
    return rows


def figure_name(name: str, stories: Sequence[Story]) -> str:
    """Accuracies of trainings are those of validation rows, which matters where test rows are shown beside them."""
    return "Validation accuracy" if name == "accuracy" and are_trainings(stories) else FIGURES[name]


def tested_rows(stories: Sequence[Story]) -> list[list[str]]:
    """How each training's model did on test rows, where it was evaluated; no row where none was."""
    if not are_trainings(stories):
        return []
    reports = [tested(story) for story in stories]
    cells = [f"{each['accuracy']:.1%} of {each['rows']:,}" if each else "—" for each in reports]
    return [["Test accuracy, newest", *cells]] if any(reports) else []


def answer_rows(stories: Sequence[Story]) -> list[list[str]]:
    """Who answers, where that is not the same in all."""
    blends = [story.report.get("blend", {}) for story in stories]
    answers = [ANSWERS.get(each.get("answers", ""), ANSWERS["calibrated"]) for each in blends]
    return [["Who answers", *answers]] if are_trainings(stories) and len(set(answers)) > 1 else []


def are_trainings(stories: Sequence[Story]) -> bool:
    """Whether all are trainings of a classifier that ended an epoch."""
    return all(story.step == "classify" and story.epochs for story in stories)


def few_validation_rows(stories: Sequence[Story]) -> int:
    """The least number of validation rows of these trainings where it is too small to tell them apart, else 0."""
    last = [story.epochs[-1].metrics for story in stories if story.step == "classify" and story.epochs]
    rows = min((int(metrics["valid_rows"]) for metrics in last if "valid_rows" in metrics), default=FEW_ROWS)
    return rows if rows < FEW_ROWS else 0


def _figure(name: str, value: float | None, best: float | None) -> str:
    if value is None:
        return "—"
    return f"{BETTER} {figure_in_words(name, value)}" if value == best else figure_in_words(name, value)


def best_of(name: str, values: Sequence[float | None]) -> float | None:
    """The better value of a figure that has a direction; nothing where all are alike or fewer than two are known."""
    told = [value for value in values if value is not None]
    if name not in METRICS or len(told) < 2 or len(set(told)) == 1:
        return None
    return max(told) if METRICS[name] else min(told)


def comparable(name: str, stories: Sequence[Story]) -> bool:
    """Whether this figure of these runs says which is better: the same job on the same data."""
    if name in VALIDATED and few_validation_rows(stories):
        return False
    same = len({story.step for story in stories}) == 1 and not differs("data", stories)
    of_vocabulary = name in OF_VOCABULARY and stories[0].step in LANGUAGE
    return same and not (of_vocabulary and differs("vocabulary", stories))


def differs(what: str, stories: Sequence[Story]) -> bool:
    """Whether data or vocabulary are not the same, by their hashes; where some is unknown, by their settings."""
    hashes = [provenance.read(story.info.folder).get("hashes", {}).get(what, "") for story in stories]
    if all(hashes):
        return len(set(hashes)) > 1
    sections = {"data": ("data",), "vocabulary": ("vocab", "base")}[what]
    return any(change.key.split(".")[0] in sections for change in differences(stories))


def remarks(stories: Sequence[Story]) -> list[str]:
    """What to know before one compares their figures."""
    if len({story.step for story in stories}) > 1:
        return ["These runs do different things, so their figures cannot be compared."]
    told = []
    if any(recipe_of(story) is None for story in stories):
        told.append("Another version of the program wrote one of these runs: its settings cannot be compared.")
    if differs("data", stories):
        told.append("These runs had different data: each was measured on other texts, so no figure is marked better.")
    if stories[0].step in run_settings.PARTS and differs("vocabulary", stories):
        more = ", so losses cannot be compared" if stories[0].step in LANGUAGE else ""
        told.append(f"Their vocabularies differ{more}.")
    few = few_validation_rows(stories)
    if few and not differs("data", stories):
        told.append(f"So few validation texts ({few}) cannot tell these apart: no figure is marked better.")
    return told or [f"The same data and vocabulary. {BETTER} marks the better figure."]
