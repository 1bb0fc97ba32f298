"""The starter trained on a bare machine with a graphics card, to which nothing but a few small files can be brought.

    python benchmarks/starter_gpu.py prepare --work FOLDER --parcel THERE     # here: import, vocabulary, token ids
    python benchmarks/starter_gpu.py train --parcel THERE --work FOLDER --home BACK --minutes 25    # on that machine
    python benchmarks/starter_gpu.py home --home BACK --work FOLDER [--to resources/starter/english]    # here again

A parcel is a folder of parts of at most 15 MB. Where not all of them travel at once, bring them one after the other
into the same folder: `train` says which are missing. `train` may be killed and given again, and run under torchrun.
It needs no data but the parcel, and of Python's packages torch, numpy, pydantic, pyarrow, safetensors, sentencepiece,
tomlkit, ijson, python-calamine, charset-normalizer and zstandard. The weights come home in half precision; their loss
beside that of single precision was measured where they were trained, on articles held out of the training.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from pathlib import Path

import parcel
import starter
import study
import torch

from ulmfit_core.jobs import pretrain
from ulmfit_core.jobs.together import lead_or_follow
from ulmfit_core.models import bundle as bundles
from ulmfit_core.project import Project
from ulmfit_core.run import Run
from ulmfit_core.training import distributed


def prepare(options: argparse.Namespace) -> None:
    subject = starter.prepared(options, starter.ON_CUDA)
    contents = parcel.wrap(subject.folder, going(subject), options.parcel)
    print(json.dumps({"tokens": len(starter.corpus_of(subject).ids), **contents}))


def going(subject: Project) -> Iterator[Path]:
    """What a training needs of a project: not the corpus's text, and of the runs only what they have to say."""
    yield subject.folder / "project.toml"
    for folder in (subject.vocab_folder, subject.tokens_folder, subject.dataset_folder):
        yield from (path for path in folder.rglob("*") if path.is_file() and path.name != "corpus.arrow")
    for info in subject.runs():
        yield from story(info.folder)


def story(run: Path) -> Iterator[Path]:
    """The files that tell of a run."""
    yield from (run / name for name in ("config.toml", "events.jsonl", "steps.f32") if (run / name).exists())


def train(options: argparse.Namespace) -> None:
    folder = options.work / "project"
    if not (folder / "project.toml").exists():
        parcel.unwrap(options.parcel, folder)
    subject = Project.open(folder)
    if options.minutes:
        starter.fit_into(options.minutes, subject)
    study.run(subject, "pretrain")
    facts = halve(subject)
    print(json.dumps({**facts, **parcel.wrap(subject.folder, coming(subject), options.home)}))


def halve(subject: Project) -> dict[str, object]:
    """Put half the precision into the trained bundle, with what this machine knows of it. Returns its facts."""
    stage, _ = pretrain.make_stage(subject, Run())
    folder = subject.bundle_folder("pretrain")
    bundle = bundles.load(folder)
    bundle.facts |= starter.made_here(subject)
    losses = {}
    for name, format in (("single", torch.float32), ("half", torch.float16)):
        rounded = {key: value.to(format).float() for key, value in bundle.model.state_dict().items()}
        stage.model.load_state_dict(rounded)
        stage.model.eval()
        with torch.inference_mode():
            losses[name] = stage.validate(Run())["valid_loss"]
    bundle.facts["valid_loss_by_precision"] = losses
    bundle.model.half()
    bundles.save(folder, bundle, (folder / "MODEL_CARD.md").read_text())
    return bundle.facts


def coming(subject: Project) -> Iterator[Path]:
    yield from (path for path in map(subject.folder.joinpath, ("project.toml", "plan.json")) if path.exists())
    yield from (path for path in subject.bundle_folder("pretrain").iterdir() if path.is_file())
    yield from story(subject.runs()[-1].folder)


def home(options: argparse.Namespace) -> None:
    parcel.unwrap(options.home, options.work / "project")
    print(json.dumps(starter.ship(Project.open(options.work / "project"), options)))


STEPS = {"prepare": prepare, "train": train, "home": home}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("step", choices=STEPS)
    parser.add_argument("--work", type=Path, default=Path("build/starter_gpu"), help="folder of the project")
    parser.add_argument("--parcel", type=Path, default=Path("build/starter_there"), help="what the training needs")
    parser.add_argument("--home", type=Path, default=Path("build/starter_back"), help="what it leaves")
    parser.add_argument("--to", type=Path, default=starter.SHIPPED, help="folder that becomes the bundle")
    parser.add_argument("--words", type=int, help="of the corpus; without it, all")
    parser.add_argument("--minutes", type=float, help="of training; without it, what the recipe says")
    parser.add_argument("--set", nargs="+", type=study.setting, default=[], help="other knobs, KEY=VALUE")
    options = parser.parse_args()
    options.work = options.work.absolute()
    STEPS[options.step](options)


if __name__ == "__main__":
    lead_or_follow(main) if distributed.started_together() else main()
