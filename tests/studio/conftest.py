"""What the window's tests share: an own home for settings, a session, a small project, the real window."""

from __future__ import annotations

import locale
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from PySide6.QtWidgets import QApplication

from studio import theme, worker
from studio.main_window import MainWindow
from studio.session import Session
from studio.widgets.schedule_preview import coming_plan
from ulmfit_core import catalog, events
from ulmfit_core.config import DataSettings, Recipe
from ulmfit_core.project import Project
from ulmfit_core.run import Run

HAPPY = ["The sun came out and we danced", "What a lovely day to sing", "She laughed and hugged her friend"]
SAD = ["The rain fell on the empty house", "He wept beside the cold grave", "She was alone and very tired"]


@pytest.fixture(scope="session", autouse=True)
def application(qapp: QApplication) -> QApplication:
    """As __main__ makes it: number format, theme, garbage collected in the main thread only."""
    locale.setlocale(locale.LC_NUMERIC, "C")
    qapp.setOrganizationName("ulmfit-studio-tests")
    theme.apply(qapp, "light")
    worker.Collector(qapp)
    return qapp


@pytest.fixture(autouse=True)
def own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """No test reads or writes the settings, recent projects or sample of whoever runs it."""
    home = tmp_path / "home"
    for name in ("XDG_CONFIG_HOME", "XDG_DATA_HOME"):
        monkeypatch.setenv(name, str(home))
    return home


@pytest.fixture
def csv_file(tmp_path: Path) -> Path:
    """60 labelled rows, one of them broken."""
    path = tmp_path / "verses.csv"
    rows = [f'"{text} {number}.",{label}' for number in range(10) for label, texts in (("happy", HAPPY), ("sad", SAD))
            for text in texts]  # fmt: skip
    path.write_text("\n".join(["text,label", *rows[:5], "one,two,three", *rows[5:]]) + "\n", encoding="utf-8")
    return path


@pytest.fixture
def recipe(csv_file: Path) -> Recipe:
    recipe = Recipe(name="Verses", data=DataSettings(data=str(csv_file), text=["text"], label="label"))
    recipe.vocab.size = 150
    recipe.model.embedding = recipe.model.hidden = 8
    return recipe


@pytest.fixture
def session(qtbot) -> Iterator[Session]:
    """A session that leaves no thread behind."""
    made = Session()
    yield made
    made.stop()
    qtbot.waitUntil(lambda: made.job is None, timeout=60_000)


@pytest.fixture
def project_session(session: Session, recipe: Recipe, tmp_path: Path) -> Session:
    """With an open project: settings chosen, nothing run yet."""
    session.create(tmp_path / "project", recipe)
    return session


@pytest.fixture
def run_job(qtbot) -> Callable[..., object]:
    """Run a job of the session to its end and give its last word."""

    def run(session: Session, job: str, **options: object) -> object:
        with qtbot.waitSignal(session.run_ended, timeout=120_000) as ended:
            assert session.start(job, **options)  # type: ignore[arg-type]
        return ended.args[1]

    return run


@pytest.fixture
def endless_import(monkeypatch: pytest.MonkeyPatch) -> None:
    """The import goes on until it is stopped or told to finish."""
    monkeypatch.setitem(catalog.JOBS, "import", catalog.Entry("tests.studio.jobs:wait", "Import the data"))


@pytest.fixture
def window(qtbot, session: Session) -> MainWindow:
    """The real window, without a project."""
    made = MainWindow(session)

    def stop_work(_: MainWindow) -> None:
        """After a test that failed while a job runs: the window would ask whether to close, and nobody answers."""
        session.stop()
        qtbot.waitUntil(lambda: session.job is None, timeout=60_000)

    qtbot.addWidget(made, before_close_func=stop_work)
    made.show()
    qtbot.waitExposed(made)
    return made


@pytest.fixture
def trained_session(project_session: Session, run_job) -> Session:
    """A project of which all is done but the evaluation: a real, tiny model that learned next to nothing."""
    project_session.change("finetune.epochs", 1)
    project_session.change("classify.epochs", 1)
    project_session.change("classify.unfreezing", "all")
    for job in ("import", "vocab", "finetune", "classify"):
        ended = run_job(project_session, job)
        assert ended.status == "done", ended.reason
    return project_session


@pytest.fixture
def write_run() -> Callable[..., Path]:
    """Write the files of a training of made-up losses: `steps` steps of the plan, then its last word, if any."""

    def write(project: Project, job: str, steps: int = 0, per_epoch: int = 20, ended: str = "done") -> Path:
        plan = coming_plan(project.recipe, job, per_epoch)
        run = Run(project.new_run_folder(job))
        run.emit(events.Started(job, job))
        run.emit(plan)
        run.open_steps(["step", "loss", *(f"lr:{name}" for name in plan.groups), "tokens", "seconds"])
        for step in range(steps or plan.total_steps):
            rates = [rate[plan.rate_steps.index(step)] for rate in plan.rates]
            run.emit_step([step + 1, 5 - 4 * step / plan.total_steps, *rates, 100, (step + 1) * 0.5])
            if step + 1 in plan.epoch_ends:
                write_epoch(run, plan, job, plan.epoch_ends.index(step + 1), step + 1)
        if ended == "stopped":
            (run.folder / "checkpoint").mkdir()
            (run.folder / "checkpoint" / "state.json").write_text("{}")
        if ended:
            run.emit(events.Ended(ended))
        run.close()
        return run.folder

    return write


def write_epoch(run: Run, plan: events.Plan, job: str, epoch: int, step: int) -> None:
    """The second epoch is the best one."""
    metrics = {"train_loss": 2.0, "valid_loss": 3.0 if epoch != 1 else 2.5, "seconds": step * 0.5}
    metrics |= {"accuracy": 0.75, "macro_f1": 0.7} if job == "classify" else {"perplexity": 12.2}
    run.emit(events.EpochEnded(epoch, 0, step, metrics, best=epoch < 2))
    if job != "classify":
        run.emit(events.SampleText(epoch, "", f"The model wrote {epoch + 1} < 9 words."))
