"""Encoding in parts and in child processes: the result is that of one process, also after a kill at any moment."""

import itertools
import os
import random
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ulmfit_core import events
from ulmfit_core.config import DataSettings, Recipe, VocabSettings
from ulmfit_core.data import numericalise as parts_module
from ulmfit_core.data import tokens
from ulmfit_core.data.dataset import TEXTS, write_table
from ulmfit_core.data.numericalise import numericalise, parts_of
from ulmfit_core.errors import UserError
from ulmfit_core.jobs.build_vocab import goes_on
from ulmfit_core.project import Project
from ulmfit_core.run import Control, Run, Stopped, launch
from ulmfit_core.text import train_vocab
from ulmfit_core.text.rules import SPECIALS
from ulmfit_core.text.vocab import Vocabulary, new_vocabulary
from ulmfit_core.text.words import to_json

WORDS = ["the", "film", "was", "good", "bad", "very", "Tom", "SAID", "café", "漢"]


def sentences(count, length=12, seed=0):
    rng = random.Random(seed)
    return [" ".join(rng.choices(WORDS, k=rng.randrange(length + 1))) for _ in range(count)]


def source(folder, texts, batch=50):
    path = folder / "corpus.arrow"
    write_table(path, TEXTS, ({"text": texts[at : at + batch]} for at in range(0, len(texts), batch)))
    return path


@pytest.fixture(scope="module")
def vocabulary(tmp_path_factory):
    """The folder of a vocabulary of characters, one of which it does not have."""
    folder = tmp_path_factory.mktemp("vocabulary")
    chosen = VocabSettings(kind="char", size=100, coverage=1.0)
    content = train_vocab.train([" " + " ".join(WORDS[:-1]).lower()], chosen, folder, Run())
    new_vocabulary("char", content, "ulmfit", {}).copy_to(folder)
    return folder


@pytest.fixture
def small_parts(monkeypatch):
    """Parts of 2,000 bytes, so that little text has many."""
    monkeypatch.setattr(parts_module, "PART_BYTES", {"pieces": 2000, "words": 2000})


def encoded(folder, vocabulary, texts):
    """The bytes of what one process makes of the texts without parts."""
    loaded = Vocabulary.load(vocabulary)
    tokens.write(folder, loaded.encode(texts), loaded.dtype)
    return contents(folder)


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


# Parts


@given(st.lists(st.text(max_size=40), max_size=60), st.integers(1, 9), st.integers(16, 300))
@settings(max_examples=50)
def test_parts_hold_each_row_once_in_order(tmp_path_factory, texts, batch, size):
    path = source(tmp_path_factory.mktemp("parts"), texts, batch)
    parts = parts_of(path, size)
    assert [part.first for part in parts] == [0, *(part.stop for part in parts)][: len(parts)]
    assert list(itertools.chain.from_iterable(b for p in parts for b in parts_module._texts(path, p, 7))) == texts
    assert sum(part.size for part in parts) == sum(max(16, len(text.encode())) for text in texts)
    assert all(part.size < size + 16 + max(len(text.encode()) for text in texts) for part in parts)


def test_parts_are_joined_to_what_one_process_writes(tmp_path, vocabulary, small_parts):
    texts = sentences(400)
    path = source(tmp_path, texts)
    parts = numericalise(path, vocabulary, tmp_path / "work", Run(), "Encoding", processes=1)
    assert len(parts) > 5 and [part.name for part in parts] == sorted(part.name for part in parts)
    loaded = Vocabulary.load(vocabulary)
    tokens.join(tmp_path / "joined", parts, loaded.dtype)
    assert contents(tmp_path / "joined") == encoded(tmp_path / "whole", vocabulary, texts)
    counts, ids = tokens.counts_of(parts), np.concatenate(loaded.encode(texts))
    assert counts == tokens.Counts(sum(len(text.split()) for text in texts), len(ids), int((ids == 0).sum()))


@given(st.lists(st.text() | st.text(alphabet="ab \t\n\x1c\x85\xa0"), min_size=1))
def test_words_are_those_between_white_space(texts):
    encoded = [np.array([2, 0, 7][: 1 + len(text) % 3], np.uint16) for text in texts]
    counts = tokens.count(texts, encoded)
    assert counts.words == sum(len(text.split()) for text in texts)
    assert (counts.tokens, counts.unknown) == (sum(map(len, encoded)), sum(ids.tolist().count(0) for ids in encoded))


def test_no_text_has_no_parts(tmp_path, vocabulary):
    assert numericalise(source(tmp_path, []), vocabulary, tmp_path / "work", Run(), "Encoding") == []
    assert len(tokens.join(tmp_path / "joined", [], np.dtype(np.uint16))) == 0


def test_texts_are_cut_and_counted_before_that(tmp_path, vocabulary):
    parts = numericalise(source(tmp_path, ["the film was good"] * 9), vocabulary, tmp_path / "w", Run(), "", limit=3)
    joined = tokens.join(tmp_path / "joined", parts, np.dtype(np.uint16))
    whole = Vocabulary.load(vocabulary).encode(["the film was good"])[0]
    assert joined.lengths.tolist() == [3] * 9 and joined[8].tolist() == whole[:3].tolist()
    assert tokens.counts_of(parts) == tokens.Counts(words=9 * 4, tokens=9 * len(whole))


def test_words_are_encoded_in_parts_too(tmp_path, small_parts):
    new_vocabulary("word", to_json([*SPECIALS, *WORDS[:6]]), "ulmfit", {}).copy_to(tmp_path / "words")
    texts = sentences(150)
    parts = numericalise(source(tmp_path, texts), tmp_path / "words", tmp_path / "work", Run(), "", processes=2)
    tokens.join(tmp_path / "joined", parts, np.dtype(np.uint16))
    assert contents(tmp_path / "joined") == encoded(tmp_path / "whole", tmp_path / "words", texts)


# Processes


def test_processes_make_the_same(tmp_path, vocabulary, small_parts):
    texts = sentences(600)
    seen = []
    run = Run(sink=seen.append)
    parts = numericalise(source(tmp_path, texts), vocabulary, tmp_path / "work", run, "Encoding", processes=2)
    tokens.join(tmp_path / "joined", parts, np.dtype(np.uint16))
    assert contents(tmp_path / "joined") == encoded(tmp_path / "whole", vocabulary, texts)
    shown = [event for event in seen if isinstance(event, events.Progress)]
    assert shown[-1].done == shown[-1].total and all(event.label.startswith("Encoding") for event in shown)
    assert [event.done for event in shown] == sorted(event.done for event in shown)


def test_little_text_starts_no_process(tmp_path, vocabulary, monkeypatch):
    monkeypatch.setattr(subprocess, "Popen", None)
    assert len(numericalise(source(tmp_path, sentences(30)), vocabulary, tmp_path / "work", Run(), "Encoding")) == 1


def test_finished_parts_are_taken_as_they_are(tmp_path, vocabulary, small_parts):
    path, work = source(tmp_path, sentences(400)), tmp_path / "work"
    parts = numericalise(path, vocabulary, work, Run(), "Encoding", processes=1)
    before = contents(work)
    stamps = {part: part.stat().st_mtime_ns for part in parts}
    for part in parts[1::2]:
        part.unlink()
    assert numericalise(path, vocabulary, work, Run(), "Encoding", processes=2) == parts and contents(work) == before
    assert all(part.stat().st_mtime_ns == stamps[part] for part in parts[::2])


def test_a_stop_ends_the_children_and_keeps_what_is_finished(tmp_path, vocabulary, small_parts):
    path, work = source(tmp_path, sentences(30_000)), tmp_path / "work"
    control = Control()
    run = Run(control=control, sink=lambda event: control.stop())
    with pytest.raises(Stopped):
        numericalise(path, vocabulary, work, run, "Encoding", processes=2)
    assert children_of(os.getpid()) == []
    left = len(list(work.glob("*.part"))) if work.exists() else 0
    assert left < len(parts_of(path, 2000))


def test_a_pause_holds_them(tmp_path, vocabulary, small_parts):
    path, work = source(tmp_path, sentences(1500)), tmp_path / "work"
    control = Control()
    paused = threading.Event()

    def pause(event):
        if not paused.is_set():
            paused.set()
            control.pause()

    task = (path, vocabulary, work, Run(control=control, sink=pause), "Encoding", 0, 2)
    worker = threading.Thread(target=numericalise, args=task, daemon=True)
    worker.start()
    try:
        assert paused.wait(60)
        time.sleep(1.5)
        # Each of the two ends the part that it has.
        assert worker.is_alive() and len(list(work.glob("*.part"))) <= 2 < len(parts_of(path, 2000))
    finally:
        control.resume()
        worker.join(60)
    assert len(list(work.glob("*.part"))) == len(parts_of(path, 2000))


def test_a_killed_child_is_told_of_and_what_it_finished_is_kept(tmp_path, vocabulary, small_parts):
    path, work = source(tmp_path, sentences(3000)), tmp_path / "work"

    def kill_one(event):
        for child in children_of(os.getpid())[:1]:
            os.kill(child, signal.SIGKILL)

    with pytest.raises(UserError, match=r"ended before its time .* is kept.* again to go on"):
        numericalise(path, vocabulary, work, Run(sink=kill_one), "Encoding", processes=2)
    assert children_of(os.getpid()) == []
    parts = numericalise(path, vocabulary, work, Run(), "Encoding", processes=1)
    tokens.join(tmp_path / "joined", parts, np.dtype(np.uint16))
    assert contents(tmp_path / "joined") == encoded(tmp_path / "whole", vocabulary, sentences(3000))


def test_what_a_child_says_last_is_told(tmp_path, vocabulary, small_parts, monkeypatch):
    path = source(tmp_path, sentences(600))
    monkeypatch.setenv("PYTHONWARNINGS", "")
    found = parts_of(path, 2000)
    path.write_bytes(b"no longer an Arrow file")
    task = parts_module.Task(str(path), str(vocabulary), str(tmp_path / "work"), 0)
    meter = parts_module.Meter(Run(), "Encoding", 1, 1)
    with pytest.raises(UserError, match=r"ended before its time \(pyarrow.lib.ArrowInvalid"):
        parts_module._in_children(task, found, 2, meter)


def children_of(parent):
    """Ids of processes under `parent` that encode."""
    listed = subprocess.run(["ps", "-eo", "pid=,ppid=,args="], capture_output=True, text=True, check=True).stdout
    rows = [line.split(maxsplit=2) for line in listed.splitlines()]
    return [int(pid) for pid, ppid, args in rows if int(ppid) == parent and "data.numericalise" in args]


# The job


JOB = """
import sys
import time
from pathlib import Path
from ulmfit_core.data import numericalise
from ulmfit_core.jobs.build_vocab import goes_on
from ulmfit_core.project import Project
from ulmfit_core.run import launch
numericalise.PART_BYTES = {"pieces": 4000, "words": 4000}
numericalise._cores = lambda: 2
heard = numericalise.Meter.add
def slowly(meter, part, rows):
    time.sleep(0.05)
    heard(meter, part, rows)
numericalise.Meter.add = slowly
print("begun", flush=True)
ended = launch(Project.open(Path(sys.argv[1])), "vocab")
assert ended.status == "done", ended.reason
"""


def project_of(folder, kind="char"):
    text = "text,label\n" + "".join(f"{line},{'ab'[n % 2]}\n" for n, line in enumerate(sentences(900, seed=1)))
    (folder / "rows.csv").write_text(text, encoding="utf-8")
    (folder / "general.txt").write_text("\n".join(sentences(2500, seed=2)), encoding="utf-8")
    data = DataSettings(data=str(folder / "rows.csv"), text=["text"], label="label", corpus=str(folder / "general.txt"))
    settings = VocabSettings(kind=kind, size=100, min_frequency=1, coverage=1.0)
    project = Project.create(folder / "project", Recipe(data=data, vocab=settings))
    assert launch(project, "import").status == "done"
    return project


def start(project, folder):
    (folder / "job.py").write_text(JOB, encoding="utf-8")
    root = Path(__file__).parents[2]
    command = [sys.executable, str(folder / "job.py"), str(project.folder)]
    environment = {**os.environ, "PYTHONPATH": str(root)}
    job = subprocess.Popen(command, cwd=root, env=environment, stdout=subprocess.PIPE, text=True)
    assert job.stdout.readline() == "begun\n"
    return job


def results(project):
    """Every file of vocabulary and tokens, working folders included."""
    folders = (project.vocab_folder, project.tokens_folder)
    paths = [path for folder in folders for path in folder.rglob("*") if path.is_file()]
    return {str(path.relative_to(project.folder)): path.read_bytes() for path in paths}


def finished_parts(project):
    return len(list(project.tokens_folder.glob(".work-*/*/*.part")))


@pytest.mark.skipif(os.name == "nt", reason="kill -9 is a signal of Unix")
def test_a_job_killed_at_any_moment_goes_on_to_the_same_bytes(tmp_path):
    (tmp_path / "calm").mkdir()
    calm = project_of(tmp_path / "calm")
    assert launch(calm, "vocab").status == "done"
    project = project_of(tmp_path)
    reached = [0]
    rng = random.Random(5)
    for wanted in (1, 8, 15):
        job = start(project, tmp_path)
        while finished_parts(project) < wanted and job.poll() is None:
            time.sleep(0.01)
        time.sleep(rng.random() * 0.2)
        job.send_signal(signal.SIGKILL)
        job.wait()
        job.stdout.close()
        reached.append(finished_parts(project))
    assert reached == sorted(reached) and reached[-1] >= 15
    job = start(project, tmp_path)
    assert job.wait() == 0
    job.stdout.close()
    after, wanted = results(project), results(calm)
    assert {name.split("/")[-1] for name in after} >= {"ids.bin", "offsets.npy", "tokens.json", "vocab.json"}
    assert len(after) == len(wanted)
    for name in ("ids.bin", "offsets.npy", "spm.model", "vocab.json"):
        ours, theirs = ([v for k, v in sorted(all_.items()) if k.endswith(name)] for all_ in (after, wanted))
        assert ours == theirs


def test_a_go_on_does_not_learn_again_and_a_new_build_does(tmp_path):
    project = project_of(tmp_path, "word")
    control = Control()
    said = []

    def stop_while_encoding(event):
        said.append(event)
        if isinstance(event, events.Progress) and event.label.startswith("Encoding the general"):
            control.stop()

    assert launch(project, "vocab", control=control, sink=stop_while_encoding).status == "stopped"
    for learns in (False, True):
        said.clear()
        assert goes_on(project) != learns
        assert launch(project, "vocab", sink=said.append).status == "done"
        labels = {event.label for event in said if isinstance(event, events.Progress)}
        assert ("Counting the words" in labels) == learns
        assert any("already" in event.text for event in said if isinstance(event, events.Message)) != learns
        assert not list(project.tokens_folder.glob("*.work-*"))


@pytest.mark.parametrize("change", ["settings", "data", "vocabulary"])
def test_after_a_change_nothing_old_is_taken(tmp_path, change):
    project = project_of(tmp_path, "word")
    control = Control()
    sink = lambda event: control.stop() if "general" in getattr(event, "label", "") else None  # noqa: E731
    assert launch(project, "vocab", control=control, sink=sink).status == "stopped"
    (work,) = project.tokens_folder.glob(".work-*")
    assert finished_parts(project) == 1 and goes_on(project)
    if change == "settings":
        project.recipe.vocab.size = 101
    elif change == "data":
        assert launch(project, "import").status == "done"
    else:
        (project.vocab_folder / "words.json").write_text("[]", encoding="utf-8")
    said = []
    assert not goes_on(project)
    assert launch(project, "vocab", sink=said.append).status == "done"
    assert any(getattr(event, "label", "") == "Counting the words" for event in said)
    assert not work.exists()
