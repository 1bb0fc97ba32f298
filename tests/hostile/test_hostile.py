"""A slice of the damaged files that `make fuzz` opens by the thousands, and the proof that its checks can fail."""

from __future__ import annotations

import json
import pickle  # noqa: TID251
import random
import tarfile
from pathlib import Path

import pytest

from tests.hostile import child, fuzz
from tests.hostile.kinds import KINDS, Kind
from tests.hostile.mutate import Canary, Damage, member

COUNT = 400  # of damaged files; their seed is another one than that of `make fuzz`
SEED = 77


@pytest.mark.slow
def test_damaged_files_are_opened_or_refused_with_a_sentence(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The sound ones first: were they not opened, nothing would be learned from the others."""
    monkeypatch.setattr(fuzz, "RENEWED", 1000)  # one process for all
    sound = [(-1 - number, name) for name, kind in KINDS.items() for number in range(len(kind.folders))]
    damaged = [case for case in fuzz.plan(COUNT, SEED) if case[1] != "window"]  # which takes seconds each
    rows = list(fuzz.run(place, [*sound, *damaged]))
    first, others = rows[: len(sound)], rows[len(sound) :]
    assert [row["outcome"] for row in first] == ["opened"] * len(sound), fuzz.summary(first)
    assert {row["outcome"] for row in others} == {"opened", "refused"}, fuzz.summary(others)
    assert {row["kind"] for row in others} == KINDS.keys() - {"window"}


# What each check would find: doors that open files as no program should


def unpickle(folder: Path) -> list[str]:
    pickle.loads((folder / "itos.pkl").read_bytes())
    return []


def extract(folder: Path) -> list[str]:
    with tarfile.open(folder / "model.tgz") as archive:
        archive.extractall(folder, filter="fully_trusted")
    return []


def trust(folder: Path) -> list[str]:
    return [json.loads((folder / "model.json").read_text())["labels"][7]]


def scold(folder: Path) -> list[str]:
    return ["Traceback (most recent call last):\n  KeyError"]


def devour(folder: Path) -> list[str]:
    held = bytearray(1200 * 2**20)
    return ["It fits."] if held[::4096].count(0) else []


def opened_by(door, name: str, content: bytes, place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict:
    """What is found of a file of this content that such a door opens."""
    (tmp_path / "sound" / "folder").mkdir(parents=True)
    (tmp_path / "sound" / "folder" / name).write_bytes(content)
    monkeypatch.setitem(child.KINDS, "naive", Kind(("folder",), (name,), door, 1))
    canary = tmp_path / "canary"
    if not canary.exists():
        canary.mkdir()
    found = child._case(-1, "naive", tmp_path / "sound", tmp_path, canary)
    return fuzz.judged({"kind": "naive", **found})


def test_code_that_runs_is_found(place, tmp_path, monkeypatch) -> None:
    content = pickle.dumps(Canary(tmp_path / "canary"))
    found = opened_by(unpickle, "itos.pkl", content, place, tmp_path, monkeypatch)
    assert found["outcome"] == "touched" and "'ran'" in found["error"]


def test_a_path_that_leads_out_is_found(place, tmp_path, monkeypatch) -> None:
    packed = tmp_path / "model.tgz"
    with tarfile.open(packed, "w:gz") as archive:
        archive.addfile(*member("../canary/made.pth", b"x"))
    found = opened_by(extract, "model.tgz", packed.read_bytes(), place, tmp_path, monkeypatch)
    assert found["outcome"] == "touched" and "'made.pth'" in found["error"]


@pytest.mark.parametrize(
    ("door", "outcome", "told"),
    [(trust, "fault", "IndexError"), (scold, "fault", "no sentence"), (devour, "memory", " MB")],
)
def test_other_exceptions_no_sentences_and_much_memory_are_found(
    door, outcome, told, place, tmp_path, monkeypatch
) -> None:
    found = opened_by(door, "model.json", b'{"labels": ["a"]}', place, tmp_path, monkeypatch)
    assert found["outcome"] == outcome and told in found["error"]


def test_crashes_and_hangs_are_found(place: Path) -> None:
    """Of a child that the system ends, and of one that stands still; the next child goes on."""
    one = fuzz.Child(place)
    try:
        one._process.kill()
        assert one.open(5, "vocabulary")["outcome"] == "crash"
        assert one.open(-1, "vocabulary", 0.001)["outcome"] == "hang"
        assert one.open(-1, "vocabulary", 120)["outcome"] == "opened"
    finally:
        one.close()


def test_damage_is_a_function_of_its_seed(place: Path, tmp_path: Path) -> None:
    def damaged(seed: int, name: str) -> dict[str, str]:
        folder = tmp_path / name
        kind = KINDS["model.json"]
        (file,) = kind.copy(place / "sound", "classifier", folder)
        Damage(folder, file, random.Random(seed), place / "canary").apply()
        return child.tree(folder)

    assert damaged(3, "a") == damaged(3, "b") != damaged(4, "c")


def test_the_sound_files_are_small_and_of_every_sort(place: Path) -> None:
    names = {path.name.split("-")[0] for path in (place / "sound").rglob("*") if path.is_file()}
    assert names >= {"model.json", "weights.safetensors", "spm.model", "words.json", "word_counts.json", "edits.jsonl",
                     "word_counts.safetensors", "scope.safetensors", "rows.arrow", "offsets.npy", "tries.json",
                     "answers.arrow", "state.json", "steps.f32", "events.jsonl", "model.tgz", "weights.h5"}  # fmt: skip
    assert sum(path.stat().st_size for path in (place / "sound").rglob("*")) < 3e6
