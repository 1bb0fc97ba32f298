"""The sound files that the mutations begin with: a small project of which all is done, bundles, files of fastai.

They are made by the program itself, once for each session of tests, in a few seconds.
"""

from __future__ import annotations

import shutil
import tarfile
from pathlib import Path

from studio import kept_tries
from studio.kept_tries import Try
from tests.core.toy import StopAfter
from tests.core.trained import project_of, rows, run
from ulmfit_core.data import edits
from ulmfit_core.jobs.import_fastai import import_fastai
from ulmfit_core.models import bundle as bundles
from ulmfit_core.project import Project
from ulmfit_core.run import launch

FASTAI = Path(__file__).parents[1] / "fixtures" / "fastai"
ZIPPED = ("v2/weights.pth", "v2/vocab.pkl")
FASTAI_FILES = {
    "zip": ZIPPED, "packed": ZIPPED, "v1": ("v1/weights.pth", "v1/itos.pkl"), "v07": ("v07/weights.h5", "v07/itos.pkl"),
}  # fmt: skip
RECIPE = {
    "finetune.enabled": True, "finetune.epochs": 1, "finetune.threads": 1, "classify.epochs": 2,
    "vocab.kind": "unigram", "vocab.size": 100, "data.keep": ["label"], "insight.forgetting": False,
}  # fmt: skip


def make(folder: Path) -> Path:
    """Everything sound below `folder`: project, classifier, eight (bits), language, words and fastai."""
    project = _project(folder)
    for name, step in (("classifier", "classify"), ("language", "finetune")):
        shutil.copytree(project.bundle_folder(step), folder / name)
    bundles.save(folder / "eight", bundles.load(folder / "classifier"), "A card.", eight_bits=True)
    import_fastai([FASTAI / "v2" / "weights.pth", FASTAI / "v2" / "vocab.pkl"], folder / "words")
    for name, files in FASTAI_FILES.items():
        (folder / "fastai" / name).mkdir(parents=True)
        for file in files:
            shutil.copy(FASTAI / file, folder / "fastai" / name)
    packed = folder / "fastai" / "packed"
    with tarfile.open(packed / "model.tgz", "w:gz") as archive:
        for path in sorted(packed.glob("*.p*")):
            archive.add(path, path.name)
    return folder


def _project(folder: Path) -> Project:
    """Trained, measured, corrected; its newest run of the classifier was stopped and can be resumed."""
    project = project_of(folder, rows(120), **RECIPE)
    edits.relabel(project, rows(120)[3][0], "good", "bad")
    edits.add(project, "a splendid garden beside the harbour", "good")
    run(project, "import", "vocab", "finetune", "classify", "evaluate")
    stopped = launch(project, "classify", control=StopAfter(40))
    assert stopped.status == "stopped", stopped.reason
    kept_tries.add(project, Try("good", 0.9, "a lovely bridge"))
    return project
