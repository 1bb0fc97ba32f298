"""Where each screen's step stands, in the words of the rail, and what the person may do about it."""

from __future__ import annotations

from studio.rail import Row
from studio.screens import SCREENS
from studio.session import Session
from ulmfit_core import events, lock
from ulmfit_core.project import Project, RunInfo, StepState


def row(session: Session, name: str) -> Row:
    """The row of one screen in the rail."""
    screen = SCREENS[name]
    if screen.shows(session.job):
        return Row(name, screen.title, "paused" if session.paused else "running", "", screen.meaning)
    state = state_of(session, name)
    awaits_person = screen.step == "import" and state.mark == "empty"  # and no other step
    return Row(name, screen.title, "ready" if awaits_person else state.mark, state.reason, screen.meaning)


def state_of(session: Session, name: str) -> StepState:
    """As the project derives it. A screen that only uses a step's result is ready when that is done."""
    screen, project = SCREENS[name], session.project
    if project is None or not (screen.step or screen.needs):
        return StepState("none")
    if screen.step:
        return project.state(screen.step)
    return _state_of_use(project, screen.needs)


def _state_of_use(project: Project, step: str) -> StepState:
    state = project.state(step)
    if state.mark in ("done", "stale"):
        return StepState("ready")
    if state.mark == "skipped":
        return state
    return StepState("empty", project.waits_for(step) or f"Waits for “{title_of(step)}”.")


def screen_of(step: str) -> str:
    """The name of the screen that shows a step."""
    return next(name for name, screen in SCREENS.items() if screen.step == step)


def title_of(step: str) -> str:
    return SCREENS[screen_of(step)].title


def blocking_step(project: Project, name: str) -> str:
    """The first step to be done of those that a screen waits for, or an empty string."""
    screen = SCREENS[name]
    if screen.step:
        return project.blocking_step(screen.step)
    missing = screen.needs and not project.skip_reason(screen.needs) and not project.finished_run(screen.needs)
    return project.blocking_step(screen.needs) or screen.needs if missing else ""


def first_open_screen(session: Session) -> str:
    """Where to go on: an import that was cut off, else the first screen whose step is to be done, else Try it."""
    if session.project and not session.job and cut_off(session.project, "import"):
        return screen_of("import")
    for name in SCREENS:
        if state_of(session, name).mark in ("empty", "ready", "stale"):
            return name
    return "try_it"


def interrupted(project: Project) -> RunInfo | None:
    """The first step's run that stopped halfway and can go on. None while a job is at work: the run may be its own."""
    if lock.holder(project.folder, lock.WORK):
        return None
    runs = (project.resumable_run(screen.step) for screen in SCREENS.values() if screen.step)
    return next(filter(None, runs), None)


def cut_off(project: Project, step: str) -> RunInfo | None:
    """The run of a step that ended without a word, by a kill or a crash, if it is the last thing that was done."""
    last = None if lock.holder(project.folder, lock.WORK) else next(project.runs_of(), None)
    return last if last and last.job == step and last.status == "unfinished" else None


def last_step(run: RunInfo) -> int:
    """The step of the run's newest checkpoint."""
    told = events.read_events(run.folder / "events.jsonl")
    saved = [event for event in told if isinstance(event, events.CheckpointSaved)]
    return saved[-1].step if saved else 0
