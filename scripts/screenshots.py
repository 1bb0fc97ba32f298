"""Draw docs/screenshots anew: every screen of the real window, in light and dark and at twice the size.

Run it as ``python scripts/screenshots.py [--project FOLDER] [--out FOLDER]``. Without a project the sample is
trained first, which takes a few minutes. No display is needed. Of a screen of twice as many pixels, which Qt is told
of before it starts, a process of its own draws scale-2/.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

# The pictures show paths: a place that is the same each time keeps the pictures the same too.
PLACE = Path(tempfile.gettempdir()) / "ulmfit-studio-screenshots"
# Before Qt and platformdirs look: no screen is needed, and no settings of whoever runs this are read or changed.
os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
os.environ.update(XDG_CONFIG_HOME=str(PLACE / "config"), XDG_DATA_HOME=str(PLACE / "data"))

from PySide6.QtWidgets import QApplication, QWidget  # noqa: E402

from studio import kept_tries, menus  # noqa: E402
from studio.__main__ import make_application  # noqa: E402
from studio.main_window import MainWindow  # noqa: E402
from studio.session import Session  # noqa: E402
from studio.worker import Collector  # noqa: E402
from ulmfit_core import files, sample, terminal  # noqa: E402
from ulmfit_core.project import INPUTS, Project  # noqa: E402

OUT = Path(__file__).resolve().parent.parent / "docs" / "screenshots"
SIZE = 1280, 800
PATIENCE = 60  # seconds that a screen may take to fill
SETTLING = 0.3
EARLIER = (
    "The plug is hot and smells of burning, and I cannot reach the switch.",
    "Just to say that the new lamp looks lovely. Does it come in green as well?",
)
NEW = (
    ("2026-11-02", "The alarm keeps ringing and nobody here knows the code."),
    ("2026-11-02", "Could you send me last month's invoice again? There is no hurry."),
    ("2026-11-03", "Water is running down the wall behind the machine."),
    ("2026-11-03", "Which of your chairs is the lightest?"),
)
TYPED = "The door won't open any more and my little brother is inside."


def main() -> int:
    options = arguments()
    if not options.again:
        shutil.rmtree(PLACE, ignore_errors=True)  # of a run that was broken off
    app = make_application(["screenshots"])
    Collector(app)
    project = trained_project(options.project)
    draw(open_window(), project, options)
    if not options.again:
        twice = ["--again", "--project", str(project.folder), "--out", str(options.out / "scale-2")]
        subprocess.run([sys.executable, __file__, *twice], env={**os.environ, "QT_SCALE_FACTOR": "2"}, check=True)
        shutil.rmtree(PLACE, ignore_errors=True)
    return 0


def draw(window: MainWindow, project: Project, options: argparse.Namespace) -> None:
    for theme in ("light",) if options.again else ("light", "dark"):
        menus.choose_theme(theme)
        for name, (screen, prepare) in PICTURES.items():
            show(window, screen, project)
            prepare(window.screens[screen])
            save(window, options.out / f"{name}-{theme}.png")
    window.session.close_project()  # the next process could only read it


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--project", type=Path, help="a project to show in place of the sample")
    parser.add_argument("--out", type=Path, default=OUT)
    parser.add_argument("--again", action="store_true", help=argparse.SUPPRESS)  # the process of twice the size
    return parser.parse_args()


def trained_project(folder: Path | None) -> Project:
    """The sample, or the project in `folder`, with every step done that was not done yet."""
    project = Project.open(folder) if folder else sample.open_or_make(PLACE / sample.SAMPLES[sample.DEFAULT].title)
    for step in INPUTS:
        if project.state(step).mark not in ("done", "skipped"):
            ended = terminal.work(project, step)
            if ended.status != "done":
                sys.exit(f"{step}: {ended.reason}")
    return project


def open_window() -> MainWindow:
    window = MainWindow(Session(QApplication.instance()))
    window.resize(*SIZE)
    window.show()
    return window


def show(window: MainWindow, screen: str, project: Project) -> None:
    """Welcome is seen without a project, but with the list of those opened lately."""
    if window.session.project is None:
        window.session.open(project.folder)
    if screen == "welcome":
        window.session.close_project()
        return
    if window.session.project.recipe.classify.phases:  # of the picture of phases
        window.session.change("classify.phases", [])
    window.go(screen)


def save(window: MainWindow, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    settled = time.monotonic() + SETTLING
    while time.monotonic() < settled:  # what was shown last is laid out in several rounds
        QApplication.processEvents()
    window.grab().save(str(path))
    print(path)


def wait(condition: Callable[[], object], what: str) -> None:
    """Let the window work until the condition holds."""
    late = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > late:
            sys.exit(f"Waited {PATIENCE} s in vain for {what}.")
        QApplication.processEvents()


# What each screen needs before it is worth a picture


def nothing(screen: QWidget) -> None:
    pass


def data(screen: QWidget) -> None:
    wait(lambda: screen.preview.table.rowCount(), "the first rows of the file")
    screen.tabs.setCurrentWidget(screen.preview)


def vocabulary(screen: QWidget) -> None:
    wait(lambda: screen.pieces.rowCount() and screen.worth.plot.isVisible(), "the pieces of the vocabulary")


def training(screen: QWidget) -> None:
    """Its newest run, without the table of phases."""
    screen.column.close_phases()
    screen.show_last_run()
    screen.pages.setCurrentWidget(screen.training)


def find_rate(screen: QWidget) -> None:
    screen.column.find_rate.click()
    if not screen.finder.report:
        screen.finder.start.click()
    wait(lambda: screen.finder.report, "the search for a learning rate")


def phases(screen: QWidget) -> None:
    training(screen)
    screen.column.edit_phases.setChecked(True)
    screen.phases.fill("gradual")


def evaluate(screen: QWidget) -> None:
    screen.tabs.setCurrentIndex(0)


def trust(screen: QWidget) -> None:
    """How far the answers can be believed."""
    open_page(screen, 1)


def suspects(screen: QWidget) -> None:
    open_page(screen, 4)


def open_page(screen: QWidget, number: int) -> None:
    screen.tabs.setCurrentIndex(number)
    wait(lambda: screen.tabs.pages[number].inside.isVisible(), "a page of the report")


def try_it(screen: QWidget) -> None:
    """Two texts kept, and a third one typed."""
    screen.tabs.setCurrentWidget(screen.classifier)
    for text in EARLIER if not kept_tries.read(screen.session.project) else ():
        ask(screen.classifier, text)
        screen.classifier.keep.click()
    ask(screen.classifier, TYPED)
    wait(screen.classifier.examples.table.rowCount, "similar examples")
    wait(screen.classifier.text.shading, "the words that speak for the answer")


def writer(screen: QWidget) -> None:
    """A text continued."""
    screen.tabs.setCurrentWidget(screen.writer)
    if not screen.writer.written.toPlainText():
        screen.writer.prompt.setText("The heater")
        screen.writer.write.click()
    wait(screen.writer.write.isEnabled, "the language model's words")
    wait(lambda: screen.writer.note.text().startswith("Together"), "the likely next words")


def predict(screen: QWidget) -> None:
    """A file of new messages is chosen; nothing is answered yet."""
    file = PLACE / "new messages.csv"
    if not file.exists():
        files.write_text(file, "".join(files.csv_line(row) for row in (("received", "message"), *NEW)))
    if not screen.draft.data:
        screen.options.changed.emit({"data": str(file)})
    wait(lambda: screen.preview.table.rowCount(), "the first rows of the file")


def ask(part: QWidget, text: str) -> None:
    if part.text.toPlainText() != text:
        part.text.clear()
        wait(lambda: not part.keep.isEnabled(), "the old answer to go")
        part.text.setPlainText(text)
    wait(part.keep.isEnabled, "the classifier's answer")


def runs(screen: QWidget) -> None:
    """The newest training of the classifier is chosen, for its curves."""
    chosen = next(line.info.id for line in screen.stories if line.info.job == "classify")
    screen.table.choose([chosen])


# Picture → screen of the window, and how it is made ready.
PICTURES: dict[str, tuple[str, Callable[[QWidget], None]]] = {
    "welcome": ("welcome", nothing),
    "data": ("dataset", data),
    "vocabulary": ("vocab", vocabulary),
    "pretrain": ("pretrain", nothing),  # left out: the sample begins with the starter
    "find_rate": ("finetune", find_rate),
    "finetune": ("finetune", training),
    "classify": ("classify", training),
    "phases": ("classify", phases),
    "evaluate": ("evaluate", evaluate),
    "trust": ("evaluate", trust),
    "suspects": ("evaluate", suspects),
    "try_it": ("try_it", try_it),
    "write": ("try_it", writer),
    "predict": ("predict", predict),
    "runs": ("runs", runs),
}

if __name__ == "__main__":
    sys.exit(main())
