"""One program in several processes under torchrun: the first runs it, the others take part when it trains.

    torchrun --nproc-per-node 2 -m ulmfit_core run PROJECT pretrain

Only language models are trained together. All else, a classifier too, is the work of the first process while the
others wait. All read the project's folder, so it must be the same for each.
"""

from __future__ import annotations

import contextlib
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from ulmfit_core import catalog, config
from ulmfit_core.errors import UserError
from ulmfit_core.jobs.language_model_stage import LanguageModelStage
from ulmfit_core.project import Project
from ulmfit_core.run import Run, Stopped
from ulmfit_core.training import distributed, threads
from ulmfit_core.training.distributed import ALONE, Ranks
from ulmfit_core.training.stage import Stage
from ulmfit_core.training.trainer import Trainer

SIGNALS = (signal.SIGINT, signal.SIGTERM)


def lead_or_follow(work: Callable[[], None]) -> None:
    """Run `work` in the first of the processes that torchrun started; in any other take part in what it trains."""
    ranks = distributed.join()
    if not ranks.first:
        _follow(ranks)
        return
    # torchrun ends all as soon as one has failed; the first, which will notice, has yet to tell how it ended.
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    try:
        work()
    finally:
        ranks.say({"end": True})


def invite(project: Project, run: Run, stage: Stage, folder: Path, resume: bool, count: int) -> Ranks:
    """Tell the other processes what is trained now, in `count` threads each. Returns the ranks that train it."""
    ranks = distributed.present()
    if ranks.alone:
        return ALONE
    if not isinstance(stage, LanguageModelStage):
        run.message(f"The {stage.name} stage is trained by one process; the other {ranks.count - 1} wait.")
        return ALONE
    stage.share(ranks)
    run.message(f"{ranks.count} processes train together, each with its share of every batch.")
    # The sizes that this process chose or the run began with, so that no other chooses its own.
    settings = getattr(project.recipe, stage.name).model_copy(update=stage.sizes)
    recipe = project.recipe.model_copy(update={stage.name: settings})
    ranks.say({
        "project": str(project.folder), "recipe": config.to_toml(recipe), "stage": stage.name,
        "folder": str(folder), "resume": resume, "threads": count,
    })  # fmt: skip
    return ranks


def _follow(ranks: Ranks) -> None:
    """Take part in one training after the other. What ended one is told by the first process."""
    for number in SIGNALS:
        signal.signal(number, signal.SIG_DFL)
    while "end" not in (word := ranks.listen()):
        try:
            with _deaf(), threads.kept(), ranks.one_fate(), contextlib.suppress(Stopped):
                _take_part(ranks, word)
        except UserError:
            sys.exit(1)


def _take_part(ranks: Ranks, word: dict[str, Any]) -> None:
    project, run = Project(Path(word["project"]), config.from_toml(word["recipe"])), Run()
    stage, _ = catalog.resolve("stage", word["stage"])(project, run)
    stage.share(ranks)
    device = next(stage.model.parameters()).device
    Trainer(stage, run, Path(word["folder"]), device, word["threads"], ranks).fit(word["resume"])


@contextlib.contextmanager
def _deaf() -> Iterator[None]:
    """Ctrl-C is for the first process to answer, which needs the others until it has."""
    for number in SIGNALS:
        signal.signal(number, signal.SIG_IGN)
    try:
        yield
    finally:
        for number in SIGNALS:
            signal.signal(number, signal.SIG_DFL)
