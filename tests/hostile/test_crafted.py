"""Files that are made to do harm, one for each fault that was found in the program, beside those of tests/core."""

from __future__ import annotations

import json
import os
import re
import struct
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from resources import resource_path
from studio import kept_tries, log
from tests.hostile.mutate import fields, sign, varint
from ulmfit_core import edit_log, events, files, lock, reading
from ulmfit_core.data import arrow_table, edits, tokens
from ulmfit_core.data.dataset import Dataset
from ulmfit_core.errors import UserError
from ulmfit_core.inference import html_report
from ulmfit_core.inference.findings import FIGURES
from ulmfit_core.jobs.import_fastai import import_fastai
from ulmfit_core.models import bundle as bundles
from ulmfit_core.models import inert_pickle
from ulmfit_core.models.fastai_weights import read_words
from ulmfit_core.models.torch_file import read_weights
from ulmfit_core.project import Project
from ulmfit_core.run import launch, read_steps
from ulmfit_core.text import trial
from ulmfit_core.text.vocab import Vocabulary
from ulmfit_core.training import checkpoint

FASTAI = Path(__file__).parents[1] / "fixtures" / "fastai"
DEEP = "[" * 100_000 + "]" * 100_000


def peak_of(call) -> int:
    """Megabytes that a refusal took at most, beyond what was in use."""
    before = resident("VmRSS")
    Path("/proc/self/clear_refs").write_text("5")
    with pytest.raises(UserError):
        call()
    return resident("VmHWM") - before


def resident(name: str) -> int:
    return int(re.search(rf"{name}:\s+(\d+) kB", Path("/proc/self/status").read_text())[1]) // 1024


@pytest.fixture
def letter(tmp_path: Path) -> Path:
    """A file of somebody, outside of the project."""
    path = tmp_path / "letter.txt"
    path.write_text("Dear all,\n")
    return path


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project.create(tmp_path / "project")


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    import_fastai([FASTAI / "v2" / "weights.pth", FASTAI / "v2" / "vocab.pkl"], tmp_path / "bundle")
    return tmp_path / "bundle"


# Links, pipes and devices


@pytest.mark.parametrize("name", [lock.WORK, lock.WINDOW])
def test_a_lock_that_is_a_link_leaves_the_other_file_alone(project, letter, name):
    """It used to be emptied, and to be made where there was none."""
    (project.folder / name).symlink_to(letter)
    assert lock.holder(project.folder, name) is None
    with pytest.raises(OSError, match="symbolic links"):
        lock.Lock(project.folder, name, "Another window")
    assert launch(project, "import").status == "failed"
    assert letter.read_text() == "Dear all,\n"


@pytest.mark.parametrize("name", ["edits.jsonl", "events.jsonl"])
def test_nothing_is_appended_to_what_a_link_leads_to(project, letter, name):
    (project.folder / name).symlink_to(letter)
    with pytest.raises(OSError, match="symbolic links"):
        files.AppendLog(project.folder / name)
    with pytest.raises(UserError, match="cannot be kept") if name == "edits.jsonl" else pytest.raises(OSError):
        edits.add(project, "a text", "good") if name == "edits.jsonl" else files.AppendLog(project.folder / name)
    assert letter.read_text() == "Dear all,\n"


def test_folders_that_a_link_leads_to_are_not_cleared_up(project, tmp_path):
    other = tmp_path / "other"
    for name in (".kept.old-1", "kept"):
        (other / name).mkdir(parents=True)
    (project.folder / "models").symlink_to(other)
    (project.folder / ".vocab.old-1").symlink_to(other)
    (project.folder / ".dataset.old-2").write_text("no folder")
    Project.open(project.folder)
    assert sorted(path.name for path in other.iterdir()) == [".kept.old-1", "kept"]


@pytest.mark.parametrize("target", ["/dev/zero", "/dev/null", "pipe", "folder"])
def test_what_is_no_file_is_not_opened(bundle, target):
    for name in ("model.json", "vocab.json", "words.json", "weights.safetensors"):
        path = bundle / name
        kept = path.read_bytes()
        path.unlink()
        if target == "pipe":
            os.mkfifo(path)
        elif target == "folder":
            path.mkdir()
        else:
            path.symlink_to(target)
        with pytest.raises(UserError, match="and not a file"):
            bundles.load(bundle)
        path.rmdir() if target == "folder" else path.unlink()
        path.write_bytes(kept)
    bundles.load(bundle)


# Sizes


def test_sizes_are_compared_with_the_weights_before_memory_is_asked_for(bundle):
    """These would take 6 GB."""
    record = json.loads((bundle / "model.json").read_text())
    record["network"] |= {"hidden": 5000, "embedding": 2000, "layers": 8}
    (bundle / "model.json").write_text(json.dumps(record))
    assert peak_of(lambda: bundles.load(bundle)) < 100


def test_a_pickle_gets_no_more_memory_than_its_file_has(tmp_path):
    (tmp_path / "vocab.pkl").write_bytes(b"\x80\x04X" + struct.pack("<I", 2**32 - 1) + b"x.")
    assert peak_of(lambda: read_words(tmp_path / "vocab.pkl")) < 50


def test_a_pickle_of_many_steps_is_not_followed_to_its_end(tmp_path, monkeypatch):
    monkeypatch.setattr(inert_pickle, "MOST_STEPS", 10_000)
    (tmp_path / "vocab.pkl").write_bytes(b"\x80\x04]" + b"]0" * 5_000 + b".")
    with pytest.raises(UserError, match="longer than any"):
        read_words(tmp_path / "vocab.pkl")


def test_columns_that_unpack_to_far_too_much_are_not_unpacked(tmp_path):
    table = pa.table({"a": pa.nulls(18_000_000, pa.float64()).fill_null(0.0)})
    with pa.OSFile(str(tmp_path / "a.arrow"), "wb") as sink:
        with pa.ipc.new_file(sink, table.schema, options=pa.ipc.IpcWriteOptions(compression="zstd")) as writer:
            writer.write_table(table)
    del table
    assert (tmp_path / "a.arrow").stat().st_size < 100_000
    with pytest.raises(ValueError, match="far more memory"):
        arrow_table.opened(tmp_path / "a.arrow")


def test_a_file_beyond_its_bound_is_not_read(tmp_path):
    path = tmp_path / "model.json"
    with path.open("wb") as file:
        file.truncate(reading.MOST_BYTES + 1)
    assert peak_of(lambda: reading.content(path)) < 20


# SentencePiece


def model_with(tmp_path: Path, change) -> Path:
    """The starter's vocabulary with its records changed, its hash renewed."""
    for name in ("vocab.json", "spm.model"):
        (tmp_path / name).write_bytes(resource_path(f"starter/english/{name}").read_bytes())
    records = change(list(fields((tmp_path / "spm.model").read_bytes())))
    content = b"".join(bytes([tag]) + varint(len(record)) + record for tag, record in records)
    (tmp_path / "spm.model").write_bytes(content)
    sign(tmp_path)
    return tmp_path


def test_a_sound_model_is_opened(tmp_path):
    assert Vocabulary.load(model_with(tmp_path, lambda records: records)).size == 8000


def test_a_table_of_characters_is_refused_before_sentencepiece_sees_it(tmp_path, monkeypatch):
    monkeypatch.setattr(trial, "bears", lambda content: pytest.fail("it was opened"))
    table = struct.pack("<I", 1024) + bytes(range(256)) * 8
    record = b"\x0a\x08identity\x12" + varint(len(table)) + table
    with pytest.raises(UserError, match="replaces characters by a table"):
        Vocabulary.load(model_with(tmp_path, lambda records: [*records, (0x1A, record)]))


@pytest.mark.parametrize("score", [float("nan"), float("inf")])
def test_a_score_that_is_no_number_is_refused(tmp_path, score):
    piece = (0x0A, b"\x0a\x04\xe2\x96\x81x\x15" + struct.pack("<f", score))
    with pytest.raises(UserError, match="SentencePiece cannot use it"):
        Vocabulary.load(model_with(tmp_path, lambda records: [*records, piece]))


def test_a_model_of_fewer_pieces_than_special_tokens_is_refused(tmp_path):
    with pytest.raises(UserError, match="special tokens"):
        Vocabulary.load(model_with(tmp_path, lambda records: [*records[:5], *records[-2:]]))


def test_a_model_without_the_special_tokens_is_refused(tmp_path):
    with pytest.raises(UserError, match="special tokens"):
        Vocabulary.load(model_with(tmp_path, lambda records: [records[0], *records[20:]]))


# Records


@pytest.mark.parametrize("written", [DEEP, "[]", "null", "1", '"a"', "{", '{"kind": []}', '{"format": "x"}', "\\"])
def test_records_of_any_shape_are_refused_with_a_sentence(bundle, project, written):
    for name in ("model.json", "vocab.json"):
        kept = (bundle / name).read_text()
        (bundle / name).write_text(written)
        with pytest.raises(UserError, match=f"{name} is damaged|{name}.*newer"):
            bundles.load(bundle)
        (bundle / name).write_text(kept)
    (project.folder / "dataset").mkdir(exist_ok=True)
    (project.folder / "dataset" / "dataset.json").write_text(written)
    with pytest.raises(UserError, match=r"dataset.json is damaged"):
        Dataset.open(project.folder / "dataset")


def test_rows_that_keep_fewer_columns_than_the_record_names_are_damage(project, reviews):
    project.recipe.data.data, project.recipe.data.text, project.recipe.data.label = str(reviews), ["text"], "label"
    project.recipe.data.keep = ["label"]
    assert launch(project, "import").status == "done"
    path = project.dataset_folder / "dataset.json"
    facts = json.loads(path.read_text())
    path.write_text(json.dumps({**facts, "kept": ["more", *facts["kept"]]}))
    with pytest.raises(UserError, match="rows.arrow is damaged: it has other kept columns than dataset.json names"):
        Dataset.open(project.dataset_folder)


def test_half_of_a_character_in_a_record_is_damage(tmp_path):
    path = tmp_path / "dataset.json"
    path.write_text('{"labels": ["\\ud83d\\ude00"]}')
    assert reading.record(path, reading.Record) == {"labels": ["😀"]}
    path.write_text('{"labels": ["\\ud83d"]}')
    with pytest.raises(UserError, match="dataset.json is damaged: .*surrogates"):
        reading.record(path, reading.Record)


@pytest.mark.parametrize("line", ["seed = nan", "seed = 1" + "0" * 400, "clip = inf", "x = " + "[" * 5000, "name = 1"])
def test_settings_beyond_all_bounds_are_refused(project, line):
    path = project.folder / "project.toml"
    path.write_text(path.read_text().replace("[classify]", f"[classify]\n{line}"))
    with pytest.raises(UserError, match="project.toml"):
        Project.open(project.folder)


def test_a_damaged_run_is_seen_as_one_and_the_project_opens(project):
    folder = project.new_run_folder("classify")
    (folder / "config.toml").write_bytes(b"\xff[run")
    (run,) = Project.open(project.folder).runs()
    assert (run.job, run.status, run.resumable) == ("classify", "failed", False)
    assert "config.toml is damaged" in run.reason


PLAN = events.Plan(["head"], 10, 100, [10], [{"title": "all"}], [0], [[0.1]], 9, "cpu", 1)


def test_events_of_any_shape_are_kept_as_unknown(tmp_path):
    epoch = b'{"event": "EpochEnded", "epoch": "x", "phase": 0, "step": 1, "metrics": {}, "best": true}'
    lines = [b"{", DEEP.encode(), epoch, epoch.replace(b'"x"', b"0").replace(b"{}", b"5"),
             b'{"event": "Ended", "status": "done", "at": 1e300}',
             b'{"event": "Ended", "status": "done", "report": {"rows": "many"}}',
             b'{"event": "Ended", "status": "done", "report": {"blend": {"used": true}}}',
             b'{"event": "WatchedScores", "epoch": 0, "rows": [{"text": "a", "label": "b"}]}',
             events.to_line(PLAN).strip(), events.to_line(replace(PLAN, phases=[])).strip()]  # fmt: skip
    (tmp_path / "events.jsonl").write_bytes(b"\n".join([*lines, b""]))
    told = events.read_events(tmp_path / "events.jsonl")
    assert [type(event) for event in told] == [events.Unknown] * len(lines)


@pytest.mark.parametrize("header", [b"{", b"[]", b'{"columns": []}', b'{"columns": ["a", "a"]}', DEEP.encode()])
def test_a_log_of_steps_with_another_header_has_no_steps(tmp_path, header):
    path = tmp_path / "steps.f32"
    path.write_bytes(b"ULMSTEP1" + struct.pack("<I", len(header)) + header + bytes(400))
    assert read_steps(path).columns == ()


def test_a_try_that_could_not_be_written_again_is_damage(project):
    tries = [{"label": "\ud800", "probability": 0.5, "text": "a"}]
    (project.folder / "tries.json").write_text(json.dumps({"format": 1, "tries": tries}))
    with pytest.raises(UserError, match="tries.json is damaged"):
        kept_tries.read(project)


def test_a_correction_of_another_shape_is_a_damaged_line(project):
    lines = ['{"number": Infinity, "kind": "add"}', '{"number": 1e400}', DEEP, '{"number": 1, "kind": ["add"]}', "0"]
    (project.folder / "edits.jsonl").write_text("\n".join([*lines, ""]))
    assert edit_log.read(project.folder).damaged == len(lines)


def test_tokens_outside_of_their_file_are_refused(tmp_path):
    tokens.write(tmp_path / "a", [np.arange(5, dtype=np.uint16)] * 3, np.dtype(np.uint16))
    np.save(tmp_path / "a" / "offsets.npy", np.array([0, 5, 2**40, 15]))
    with pytest.raises(UserError, match="lies outside"):
        tokens.Tokens.open(tmp_path / "a")


def test_a_refusal_that_nobody_caught_is_told_in_the_window(monkeypatch):
    told, others = list[str](), list[BaseException]()
    monkeypatch.setattr("sys.excepthook", lambda kind, error, trace: others.append(error))
    log.tell_refusals(told.append)
    for error in (UserError("It is damaged."), KeyError("x")):
        sys.excepthook(type(error), error, None)
    assert told == ["It is damaged."] and [type(error) for error in others] == [KeyError]


def test_a_figure_without_its_interval_is_shown_without_it() -> None:
    known = {name: {"value": 0.5} for name in FIGURES}
    page = html_report._figures({"figures": known, "baseline_tfidf": {"accuracy": 0.4}, "majority": 0.3})
    assert page.count("0.5000") == len(FIGURES)


def test_a_zip_whose_parts_begin_before_it_is_refused_in_a_sentence(tmp_path: Path) -> None:
    path = tmp_path / "weights.pth"
    content = bytearray((FASTAI / "v2" / "weights.pth").read_bytes())
    place = content.rindex(b"PK\x06\x06") + 48  # says where the list of parts begins, from which places are corrected
    begin = struct.unpack_from("<Q", content, place)[0]
    struct.pack_into("<Q", content, place, begin + 10_000)
    path.write_bytes(content)
    with pytest.raises(UserError, match="weights.pth is damaged"):
        read_weights(path)


def test_a_checkpoint_with_a_long_complaint_is_told_in_a_line(tmp_path: Path) -> None:
    header = json.dumps("é\n" * 5_000, ensure_ascii=False).encode()
    (tmp_path / "state-1-1.safetensors").write_bytes(struct.pack("<Q", len(header)) + header)
    files.write_json(tmp_path / "state.json", {"tensors": "state-1-1.safetensors", "version": 4})
    with pytest.raises(UserError) as refused:
        checkpoint.load(tmp_path)
    assert "\n" not in str(refused.value) and len(str(refused.value)) < 700
