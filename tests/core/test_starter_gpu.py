"""The starter trained elsewhere: parcels out and home, and the plan that fits into a given time."""

import io
import json
import tarfile
from importlib import import_module

import numpy as np
import pytest

from tests.core.test_low_shot import SMALL, data, on_path, run  # noqa: F401
from ulmfit_core.models import bundle as bundles
from ulmfit_core.project import Project


def step(name, *arguments, **places):
    """What a step of starter_gpu says at the end."""
    return json.loads(run("starter_gpu", name, *arguments, **places).splitlines()[-1])


def test_trained_from_its_parcel_alone_the_starter_comes_home_in_half_precision(data, tmp_path, monkeypatch):  # noqa: F811
    monkeypatch.setattr(import_module("starter"), "DATA", data)
    monkeypatch.setattr(import_module("starter"), "TRIAL_SECONDS", 2.0)
    here, there = tmp_path / "here", tmp_path / "there"
    out, back, to = tmp_path / "out", tmp_path / "back", tmp_path / "starter"
    sent = step("prepare", "--work", here, "--parcel", out, "--set", *SMALL, "pretrain.threads=1", data=data)
    assert sent["bytes"] == sum(path.stat().st_size for path in out.glob("part-*"))
    assert not list((here / "project").glob("models/*"))
    trained = step("train", "--work", there, "--parcel", out, "--home", back, "--minutes", 0.02, data=tmp_path)
    assert not (there / "project/dataset/corpus.arrow").exists() and trained["corpus_tokens"] <= sent["tokens"]
    plan = json.loads((there / "project/plan.json").read_text())
    assert trained["epochs"] == plan["epochs"] and plan["minutes"] == 0.02
    assert trained["valid_loss_by_precision"]["half"] == pytest.approx(
        trained["valid_loss_by_precision"]["single"], abs=1e-3
    )
    shipped = step("home", "--work", here, "--home", back, "--to", to, data=data)
    assert shipped["precision"] in ("float16", "int8") and shipped["corpus_tokens"] == trained["corpus_tokens"]
    assert Project.open(here / "project").finished_run("pretrain")
    card = (to / "MODEL_CARD.md").read_text()
    assert f"{trained['corpus_tokens']:,} tokens" in card and trained["device"] in card
    weights = sum(value.numel() for value in bundles.load(to).model.parameters())
    assert (to / "weights.safetensors").stat().st_size < 2.6 * weights


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
    import lzma

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
