"""The starter trained elsewhere: parcels out and home, and the plan that fits into a given time."""

import io
import json
import lzma
import tarfile
from importlib import import_module

import numpy as np
import pytest

from tests.core.test_low_shot import SMALL, data, run  # noqa: F401
from ulmfit_core.models import bundle as bundles
from ulmfit_core.project import Project
from ulmfit_core.run import launch

FEW = 20


@pytest.fixture(scope="module")
def reviews(data):  # noqa: F811
    """Beside Wikipedia some reviews that one word decides, in the files of IMDb: (id, text, label)."""
    for part, count in {"train": 40, "test": 24, "unsup": 30}.items():
        rows = [f"{number},The film was {['good', 'bad'][number % 2]} for {number} people,{['pos', 'neg'][number % 2]}"
                for number in range(count)]  # fmt: skip
        text = "\n".join(["id,text,label", *rows] if part != "unsup" else ["id,text", *(row[:-4] for row in rows)])
        (data / f"imdb_{part}.csv.xz").write_bytes(lzma.compress(text.encode(), preset=0))
    return data


@pytest.fixture
def small(data, monkeypatch):  # noqa: F811
    """The scripts at a size of seconds."""
    monkeypatch.setattr(import_module("starter"), "DATA", data)
    monkeypatch.setattr(import_module("starter"), "TRIAL_SECONDS", 0.5)
    monkeypatch.setattr(import_module("imdb_full"), "FEW", FEW)


def step(name, *arguments, **places):
    """What a step of starter_gpu says, all its lines as one."""
    lines = run("starter_gpu", name, *arguments, **places).splitlines()
    return {key: value for line in lines for key, value in json.loads(line).items()}


KNOBS = [
    *SMALL, *(f"{stage}.{knob}" for stage in ("pretrain", "finetune", "classify")
              for knob in ("threads=1", "precision=auto")),
    "finetune.batch_size=4", "finetune.bptt=20", "classify.batch_size=8", "classify.bptt=20",
    "pretrain.checkpoint_seconds=30",
]  # fmt: skip


def test_from_its_parcels_alone_the_starter_is_trained_and_imdb_on_top_of_it(reviews, small, tmp_path):
    here, there = tmp_path / "here", tmp_path / "there"
    out, back, to = tmp_path / "out", tmp_path / "back", tmp_path / "starter"
    sent = step("prepare", "--work", here, "--parcel", out, "--set", *KNOBS, data=reviews)
    for name in ("starter", "imdb"):
        assert sent[name]["bytes"] == sum(path.stat().st_size for path in (out / name).glob("part-*"))
    assert not list(here.glob("**/models/*"))

    late = tmp_path / "late"
    (out / "imdb").rename(late)  # it is still on its way
    order = ["--work", there, "--parcel", out, "--home", back, "--minutes", 0.03]
    with pytest.raises(SystemExit, match="imdb/parcel.json is missing"):
        step("train", *order, data=tmp_path)
    late.rename(out / "imdb")
    told = step("train", *order, data=tmp_path)
    assert "starter in half precision" not in told  # that was done
    kept = json.loads((back / "results.json").read_text())
    assert {name: kept[name] for name in told} == told and len(kept) == 6
    trained = kept["starter in half precision"]
    losses = trained["valid_loss_by_precision"]
    assert losses["half"] == pytest.approx(losses["single"], abs=1e-3) and trained["corpus_tokens"] <= sent["tokens"]
    plan = json.loads((there / "project/plan.json").read_text())
    assert trained["epochs"] == plan["epochs"] and plan["minutes"] == pytest.approx(0.64 * 0.03)
    for stage, part in {"finetune": "imdb language model", "classify": "imdb, all labels"}.items():
        planned = json.loads((there / f"imdb/all/plan-{stage}.json").read_text())["epochs"]
        frozen = 3 if stage == "classify" else 0  # of two recurrent layers, each let go by itself
        assert kept[part]["epochs"] == planned + frozen
    assert not list(there.glob("**/corpus.arrow"))
    assert all(b"people" not in path.read_bytes() for path in there.glob("**/rows.arrow"))
    assert {kept[name]["test"]["rows"] for name in kept if "labels" in name} == {24}
    assert all(kept[name]["transductive"] for name in kept if "imdb" in name)
    assert kept["imdb, all labels"]["test"]["accuracy"] == evaluated(there / "imdb/all")

    shipped = step("home", "--work", here, "--home", back, "--to", to, data=reviews)
    assert shipped["precision"] in ("float16", "int8") and shipped["corpus_tokens"] == trained["corpus_tokens"]
    assert Project.open(here / "project").finished_run("pretrain")
    card = (to / "MODEL_CARD.md").read_text()
    assert f"{trained['corpus_tokens']:,} tokens" in card and trained["device"] in card
    weights = sum(value.numel() for value in bundles.load(to).model.parameters())
    assert (to / "weights.safetensors").stat().st_size < 2.6 * weights


def evaluated(folder):
    """The accuracy that the program finds by the texts, once they are there again."""
    subject = Project.open(folder)
    assert launch(subject, "import").status == "done"
    return launch(subject, "evaluate").report["accuracy"]


def test_a_parcel_gives_the_same_files_and_says_which_part_is_missing_or_damaged(tmp_path):
    parcel = import_module("parcel")
    folder, out = tmp_path / "folder", tmp_path / "out"
    (folder / "inner").mkdir(parents=True)
    content = np.random.default_rng(0).integers(0, 2**16, 5000, np.uint16).tobytes()
    (folder / "inner" / "ids.bin").write_bytes(content)
    (folder / "left.txt").write_text("stays")
    contents = parcel.wrap(folder, [folder / "inner" / "ids.bin"], out, part_bytes=4000)
    assert [entry["bytes"] for entry in contents["parts"][:-1]] == [4000] * (len(contents["parts"]) - 1)
    assert contents["bytes"] > 8000 and max(path.stat().st_size for path in out.glob("part-*")) == 4000
    parcel.unwrap(out, tmp_path / "again")
    assert (tmp_path / "again/inner/ids.bin").read_bytes() == content and not (tmp_path / "again/left.txt").exists()
    second = (out / "part-01").read_bytes()
    (out / "part-01").write_bytes(second[:-1] + b"?")
    with pytest.raises(SystemExit, match="part-01 is damaged"):
        parcel.unwrap(out, tmp_path / "again")
    (out / "part-01").unlink()
    with pytest.raises(SystemExit, match="part-01 is missing"):
        parcel.unwrap(out, tmp_path / "again")


def test_a_parcel_writes_nothing_outside_its_folder(tmp_path):
    parcel = import_module("parcel")
    packed = io.BytesIO()
    with lzma.open(packed, "wb", filters=parcel.FILTERS) as stream, tarfile.open(fileobj=stream, mode="w|") as tar:
        entry = tarfile.TarInfo("../outside.txt")
        tar.addfile(entry, io.BytesIO())
    content = packed.getvalue()
    (tmp_path / "in").mkdir()
    (tmp_path / "in/part-00").write_bytes(content)
    (tmp_path / "in" / parcel.CONTENTS).write_text(json.dumps({"parts": [parcel._entry("part-00", content)]}))
    with pytest.raises(tarfile.OutsideDestinationError):
        parcel.unwrap(tmp_path / "in", tmp_path / "to")
    assert not (tmp_path / "outside.txt").exists()


@pytest.mark.parametrize("minutes, epochs, share", [(5, 1, 0.27), (30, 2, 0.81), (100, 6, 0.9)])
def test_a_plan_reads_whole_epochs_of_as_much_as_fits(minutes, epochs, share):
    plan = import_module("starter").plan_for(minutes, speed=1000.0, corpus_tokens=1_000_000)
    assert (plan.epochs, plan.share) == (epochs, pytest.approx(share))
    assert plan.epochs * plan.share * 1_000_000 / 1000 == pytest.approx(0.9 * 60 * minutes)
