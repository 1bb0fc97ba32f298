r"""The starter, and IMDb on top of it, trained on a machine with a graphics card that is reached by small files alone.

Here, once. It leaves two parcels, THERE/starter and THERE/imdb, in parts of 15 MB:

    python benchmarks/starter_gpu.py prepare --work FOLDER --parcel THERE

What that machine's Python (3.12, x86-64, with torch, numpy, pyarrow, safetensors, sentencepiece, scikit-learn and
charset-normalizer) lacks of packages, 9.5 MB, besides the repository and the parcels:

    python -m pip download --no-deps --only-binary=:all: --python-version 3.12 --implementation cp \
        --platform manylinux_2_28_x86_64 --platform manylinux_2_17_x86_64 --platform manylinux2014_x86_64 \
        -c constraints.txt -d WHEELS pydantic pydantic-core annotated-types typing-inspection typing-extensions \
        tomlkit ijson python-calamine zstandard

There, in the repository's folder. The parts may come one after the other, THERE/starter first: the training begins
when it is whole, while THERE/imdb is still on its way. A command that misses a part names it and ends; killed or not,
the same command goes on where it was:

    python -m pip install --no-index --no-deps --target SITE WHEELS/*.whl && export PYTHONPATH=SITE:.
    setsid nohup python benchmarks/starter_gpu.py train --parcel THERE --work FOLDER --home BACK --minutes 25 \
        > log 2>&1 &

The minutes are those of training; starting up, unpacking and the last figures come on top. They are shared out by
SHARES, and each part is sized by its speed there. log names what it is at. BACK has at most eight files of under 16 MB,
which may be taken along at any time: results.json, which grows as each part is done, and after the pretraining its
weights in half precision; their loss beside that of single precision is measured there, on articles held out of the
training. Here again, the weights become the model that ships:

    python benchmarks/starter_gpu.py home --home BACK --work FOLDER [--to resources/starter/english]

`train` runs under torchrun too. `--parts starter` leaves IMDb out, and gives the starter all of the time.
"""

from __future__ import annotations

import argparse
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import imdb_full
import parcel
import pyarrow as pa
import starter
import study
import torch

from ulmfit_core import files
from ulmfit_core.data import dataset as store
from ulmfit_core.jobs import pretrain
from ulmfit_core.jobs.together import lead_or_follow
from ulmfit_core.models import bundle as bundles
from ulmfit_core.models.bundle import Bundle
from ulmfit_core.project import Project
from ulmfit_core.run import Run
from ulmfit_core.text.vocab import Vocabulary
from ulmfit_core.training import distributed

PARTS = ("starter", "imdb")
# Of the minutes. What they leave is for the classifiers of few labels and for the test.
SHARES = {"pretrain": 0.64, "finetune": 0.18, "classify": 0.13}
RESULTS = "results.json"


# Here


def prepare(options: argparse.Namespace) -> None:
    subject = starter.prepared(options, starter.ON_CUDA)
    print(json.dumps({"tokens": len(starter.corpus_of(subject).ids)}))
    pack("starter", subject.folder, [subject], options)
    if "imdb" in options.parts:
        folder = options.work / "imdb"
        pack("imdb", folder, imdb_full.prepared(folder, untrained(subject, options.work), dict(options.set)), options)


def pack(name: str, folder: Path, subjects: list[Project], options: argparse.Namespace) -> None:
    for subject in subjects:
        leave_out_texts(subject)
    going_there = [path for subject in subjects for path in going(subject)]
    print(json.dumps({name: parcel.wrap(folder, going_there, options.parcel / name)}))


def untrained(subject: Project, work: Path) -> Path:
    """A bundle like the one that the starter will be, as a base to prepare others with."""
    folder, recipe = work / "untrained", subject.recipe
    if not folder.exists():
        vocab = Vocabulary.load(subject.vocab_folder)
        model = bundles.new_language_model(recipe.model, vocab.size, recipe.pretrain)
        bundles.save(folder, Bundle("language_model", recipe.model, model, vocab), "")
    return folder


def leave_out_texts(subject: Project) -> None:
    """Take the texts from the rows of a project: their token ids do for all that is trained."""
    path = subject.dataset_folder / "rows.arrow"
    fresh = path.with_suffix(".fresh")
    rows = store.read_table(path)
    columns = {name: rows.column(name).combine_chunks() for name in rows.column_names}
    store.write_table(fresh, store.ROWS, [columns | {"text": pa.array([""] * len(rows), pa.large_string())}])
    fresh.replace(path)


def going(subject: Project) -> Iterator[Path]:
    """What a training needs of a project: no text of its corpus, and of the runs only what they have to say."""
    yield subject.folder / "project.toml"
    read = "corpus" if subject.recipe.data.corpus else "dataset"
    for folder in (subject.vocab_folder, *subject.tokens_folder.glob(f"*/{read}"), subject.dataset_folder):
        yield from (path for path in folder.rglob("*") if path.is_file() and path.name != "corpus.arrow")
    for info in subject.runs():
        yield from story(info.folder)


def story(run: Path) -> Iterator[Path]:
    """The files that tell of a run."""
    yield from (run / name for name in ("config.toml", "events.jsonl", "steps.f32") if (run / name).exists())


# There


def train(options: argparse.Namespace) -> None:
    subject = Project.open(unpacked(options.parcel / "starter", options.work / "project"))
    minutes = {step: share * options.minutes for step, share in SHARES.items()} if options.minutes else {}
    if options.minutes:
        starter.fit_into(minutes["pretrain"] if "imdb" in options.parts else options.minutes, subject)
    note(options.home, "starter", starter.figures_of(subject, "pretrain"))
    if not parcel.is_whole(options.home):
        facts = halve(subject)
        parcel.wrap(subject.folder, coming(subject), options.home)
        note(options.home, "starter in half precision", facts)
    if "imdb" in options.parts:
        folder = unpacked(options.parcel / "imdb", options.work / "imdb")
        for name, figures in imdb_full.trained(folder, subject.bundle_folder("pretrain"), minutes):
            note(options.home, name, figures)


def unpacked(source: Path, folder: Path) -> Path:
    """The content of a parcel as `folder`, which is there as a whole or not at all."""
    if not folder.exists():
        fresh = folder.with_name(f"{folder.name}.fresh")
        shutil.rmtree(fresh, ignore_errors=True)
        parcel.unwrap(source, fresh)
        fresh.rename(folder)
    return folder


def note(home: Path, part: str, figures: dict[str, Any]) -> None:
    """Add what a part has come to to the results, and say it."""
    path = home / RESULTS
    known = json.loads(path.read_text()) if path.exists() else {}
    files.write_json(path, known | {part: figures})
    print(json.dumps({part: figures}), flush=True)


def halve(subject: Project) -> dict[str, Any]:
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


# Here again


def home(options: argparse.Namespace) -> None:
    parcel.unwrap(options.home, options.work / "project")
    print(json.dumps(starter.ship(Project.open(options.work / "project"), options)))


STEPS = {"prepare": prepare, "train": train, "home": home}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("step", choices=STEPS)
    parser.add_argument("--work", type=Path, default=Path("build/starter_gpu"), help="folder of the projects")
    parser.add_argument("--parcel", type=Path, default=Path("build/starter_there"), help="what the training needs")
    parser.add_argument("--home", type=Path, default=Path("build/starter_back"), help="what it leaves")
    parser.add_argument("--to", type=Path, default=starter.SHIPPED, help="folder that becomes the bundle")
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=PARTS, help="starter alone, or IMDb too")
    parser.add_argument("--words", type=int, help="of the corpus; without it, all")
    parser.add_argument("--minutes", type=float, help="of training; without it, what the recipes say")
    parser.add_argument("--set", nargs="+", type=study.setting, default=[], help="other knobs, KEY=VALUE")
    options = parser.parse_args()
    options.work = options.work.absolute()
    STEPS[options.step](options)


if __name__ == "__main__":
    lead_or_follow(main) if distributed.started_together() else main()
