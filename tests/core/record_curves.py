"""Record the curves on which the verdict is tested: small trainings of the verses sample that go well, or wrong in a
known way. `python -m tests.core.record_curves` writes tests/core/curves/*.jsonl; it takes some minutes.
classify_rises is of another origin: a classifier without a language model on 400 IMDb reviews (arm scratch of
benchmarks/low_shot.py).
"""

from __future__ import annotations

import sys
import tempfile
from dataclasses import replace
from pathlib import Path

from ulmfit_core import config, events, sample
from ulmfit_core.project import Project
from ulmfit_core.run import launch

PLACE = Path(__file__).parent / "curves"
SMALL = {"model.embedding": 48, "model.hidden": 96, "finetune.epochs": 4, "pretrain.enabled": False}
FEW = {"data.labelled_rows": 60, "data.unlabelled": "", "finetune.enabled": False, "classify.drop_mult": 0.0}
# Name → (the step whose curve is kept, what is set besides SMALL). 60_rows: of the table only so many are left.
CURVES: dict[str, tuple[str, dict[str, object]]] = {
    "classify_support": ("classify", {}),  # the sample of support messages as it is, pretraining included
    "classify_rate_30_times": ("classify", {"classify.lr_max": 0.6}),
    "classify_rate_1e-6": ("classify", {"classify.lr_max": 1e-6, "classify.unfreezing": "all", "classify.epochs": 6}),
    "classify_40_epochs_60_rows": ("classify", {**FEW, "classify.epochs": 40, "classify.unfreezing": "all"}),
    "classify_settled": (
        "classify", {"classify.epochs": 4, "classify.unfreezing": "all", "classify.lr_max": 0.002},
    ),
    "finetune_well": ("finetune", {"finetune.epochs": 12, "finetune.lr_max": 0.008}),
    "finetune_rate_30_times": ("finetune", {"finetune.lr_max": 0.004 * 30, "finetune.epochs": 6}),
    "finetune_rate_300_times": ("finetune", {"finetune.lr_max": 1.2, "finetune.epochs": 6}),
    "finetune_rate_1e-6": ("finetune", {"finetune.lr_max": 1e-6, "finetune.epochs": 5}),
    "finetune_40_epochs_60_rows": (
        "finetune", {**FEW, "finetune.enabled": True, "finetune.drop_mult": 0.0, "finetune.epochs": 40,
                     "finetune.lr_max": 0.02, "finetune.layer_factor": 1.0, "finetune.alpha": 0.0,
                     "finetune.beta": 0.0, "data.labelled_rows": 0},
    ),
    "finetune_short": ("finetune", {"finetune.epochs": 3}),
}  # fmt: skip


def record(name: str) -> None:
    step, changes = CURVES[name]
    with tempfile.TemporaryDirectory() as place:
        whole = name == "classify_support"
        project = sample.open_or_make(Path(place) / "project", "support" if whole else sample.DEFAULT)
        for key, value in (changes if whole else {**SMALL, **changes}).items():
            config.set_value(project.recipe, key, value)
        if "60_rows" in name:
            _shorten(project, 60)
        for job in ("import", "vocab", "pretrain", "finetune", "classify"):
            if not project.skip_reason(job):
                launch(project, job)
            if job == step:
                break
        _keep(name, [run for run in project.runs() if run.job == step][-1].folder)


def _shorten(project: Project, rows: int) -> None:
    """Of the table only so many training rows stay, and those of the test."""
    path = project.folder / project.recipe.data.data
    head, *lines = path.read_text(encoding="utf-8").splitlines()
    train = [line for line in lines if line.endswith("train")]
    kept = train[:: len(train) // rows][:rows]
    path.write_text("\n".join([head, *kept, *(line for line in lines if line.endswith("test"))]), encoding="utf-8")


def _keep(name: str, folder: Path) -> None:
    """The events that the verdict reads; of the sampled schedule only its highest rate."""
    PLACE.mkdir(exist_ok=True)
    kept = [event for event in events.read_events(folder / "events.jsonl") if isinstance(event, KINDS)]
    (PLACE / f"{name}.jsonl").write_bytes(b"".join(events.to_line(_shortened(event)) for event in kept))


def _shortened(event: events.Event) -> events.Event:
    if not isinstance(event, events.Plan):
        return event
    return replace(event, rate_steps=[0], rates=[[max(map(max, event.rates))]])


KINDS = events.Plan, events.EpochEnded, events.Ended

if __name__ == "__main__":
    for chosen in sys.argv[1:] or CURVES:
        record(chosen)
        print(chosen, flush=True)
