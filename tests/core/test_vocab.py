"""The vocabulary: ULMFiT's special tokens, encoding and back, the job that builds it, and its refusals."""

import json
import os
import random
import re
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ulmfit_core import catalog, events, files
from ulmfit_core.config import VOCAB_SIZES, DataSettings, Recipe, VocabSettings, set_value
from ulmfit_core.data.dataset import Dataset
from ulmfit_core.data.tokens import open_tokens
from ulmfit_core.errors import UserError
from ulmfit_core.jobs.build_vocab import sample_texts
from ulmfit_core.project import Project
from ulmfit_core.run import Control, Run, Stopped, launch
from ulmfit_core.text import coverage, extend, model_file, train_vocab, vocab
from ulmfit_core.text.rules import SPECIALS
from ulmfit_core.text.vocab import Vocabulary


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """An imported project with 60 labelled rows, unlabelled and general text, and its vocabulary."""
    folder = tmp_path_factory.mktemp("vocab")
    rows = [f"The quick brown Fox number {n} jumps (over) the LAZY dog!!!,{'xy'[n % 2]}" for n in range(60)]
    (folder / "a.csv").write_text("text,label\n" + "\n".join(rows), encoding="utf-8")
    (folder / "c.txt").write_text("A general text of many plain words.\n" * 30, encoding="utf-8")
    data = DataSettings(data=str(folder / "a.csv"), text=["text"], label="label", corpus=str(folder / "c.txt"))
    project = Project.create(folder / "project", Recipe(data=data, vocab=VocabSettings(size=150, coverage=1.0)))
    assert launch(project, "import").status == "done"
    seen = []
    ended = launch(project, "vocab", sink=seen.append)
    assert ended.status == "done", ended.reason
    project.seen, project.report = seen, ended.report
    return project


@pytest.fixture(scope="module")
def vocabulary(project):
    return Vocabulary.load(project.vocab_folder)


def test_specials_have_their_ids_and_are_never_split(vocabulary):
    assert tuple(vocabulary.pieces[: len(SPECIALS)]) == SPECIALS
    assert [vocabulary.id_of(name) for name in SPECIALS] == list(range(len(SPECIALS)))
    assert (vocabulary.unk, vocabulary.pad, vocabulary.bos) == (0, 1, 2)


def test_tokens_of_a_text(vocabulary):
    tokens = vocabulary.tokens("The LAZY dog")
    assert tokens[:2] == ["xxbos", "xxmaj"] and tokens[2].startswith("▁t")
    # A marker takes the place of the space before it.
    assert tokens.count("xxup") == 1 and tokens[tokens.index("xxup") - 1] != "▁"


@pytest.mark.parametrize("text", ["The quick (brown) Fox!!!", "the LAZY dog over the dog", ""])
def test_decoding_brings_the_text_back(vocabulary, text):
    assert vocabulary.decode(vocabulary.encode([text])[0]) == text


def test_encoding_is_the_same_alone_and_among_many(vocabulary):
    texts = [f"the Fox number {n}" for n in range(100)] + [""]
    together = vocabulary.encode(texts)
    assert all((ids == vocabulary.encode([text])[0]).all() for text, ids in zip(texts, together))
    assert together[0].dtype == np.uint16 and together[-1].tolist() == [vocabulary.bos]
    assert vocabulary.encode([]) == []


def test_unknown_characters_are_unknown_pieces(vocabulary):
    assert vocabulary.unk in vocabulary.encode(["the 漢 dog"])[0]
    assert vocabulary.unk in vocabulary.encode(["the xxunk dog"])[0]
    assert "xxunk" in vocabulary.decode([vocabulary.unk])


def test_the_report(project, vocabulary):
    tokens = open_tokens(project.tokens_folder, vocabulary, "dataset")
    assert project.report["size"] == vocabulary.size <= 150
    assert project.report["tokens"] == len(tokens.ids)
    assert 1 < project.report["tokens_per_word"] < 6 and project.report["unknown"] < 0.01
    labels = {event.label for event in project.seen if isinstance(event, events.Progress)}
    assert {"Learning the vocabulary", "Encoding the texts", "Encoding the general text"} <= labels


def test_all_texts_are_encoded(project, vocabulary):
    dataset = Dataset.open(project.dataset_folder)
    rows = open_tokens(project.tokens_folder, vocabulary, "dataset", project.fingerprint("import"))
    corpus = open_tokens(project.tokens_folder, vocabulary, "corpus", project.fingerprint("import"))
    assert len(rows) == len(dataset) == 60 and len(corpus) == dataset.corpus_size == 30
    assert (rows[7] == vocabulary.encode(dataset.texts([7]))[0]).all()


def test_tokens_of_an_older_import_are_refused(project, vocabulary):
    with pytest.raises(UserError, match="imported anew"):
        open_tokens(project.tokens_folder, vocabulary, "dataset", "another fingerprint")


def test_the_sample_has_no_test_text(project):
    dataset = Dataset.open(project.dataset_folder)
    sampled = set(sample_texts(dataset, 10**6))
    assert sampled and not sampled & set(dataset.texts(dataset.rows_of("test")))
    assert sum(map(len, sample_texts(dataset, 500))) == 500


def test_a_copy_is_the_same_vocabulary(vocabulary, tmp_path):
    vocabulary.copy_to(tmp_path)
    copy = Vocabulary.load(tmp_path)
    assert copy.hash == vocabulary.hash and copy.rules == "ulmfit" and len(copy.hash) == 16


def test_other_rules_are_another_vocabulary(vocabulary):
    assert vocab.vocabulary_hash(b"model", "ulmfit") != vocab.vocabulary_hash(b"model", "fastai")


def test_a_vocabulary_that_does_not_fit_is_refused(vocabulary, tmp_path):
    vocabulary.copy_to(tmp_path)
    files.write_json(tmp_path / "vocab.json", {**vocabulary.facts, "rules": "plain"})
    with pytest.raises(UserError, match="does not fit its vocab.json"):
        Vocabulary.load(tmp_path)


def test_a_missing_vocabulary_is_refused(tmp_path):
    with pytest.raises(UserError, match="Build the vocabulary first"):
        Vocabulary.load(tmp_path)


def test_a_base_brings_its_vocabulary(project, vocabulary, tmp_path):
    vocabulary.copy_to(tmp_path / "bundle")
    (tmp_path / "bundle" / "model.json").write_text("{}")
    recipe = project.recipe.model_copy(deep=True, update={"base": str(tmp_path / "bundle")})
    other = Project.create(tmp_path / "other", recipe)
    assert launch(other, "import").status == "done"
    ended = launch(other, "vocab")
    assert ended.status == "done" and ended.report["origin"] == "taken" and ended.report["shared"] == 1
    assert Vocabulary.load(other.vocab_folder).hash == vocabulary.hash
    said = []
    other.recipe.vocab.extend = 1
    assert launch(other, "vocab", sink=said.append).status == "done"
    assert any("none was added" in event.text for event in said if isinstance(event, events.Message))


def test_a_missing_base_is_refused_and_the_vocabulary_kept(project, vocabulary, tmp_path):
    recipe = project.recipe.model_copy(deep=True, update={"base": str(tmp_path / "nowhere")})
    ended = launch(project, "vocab", recipe=recipe)
    assert ended.status == "failed" and "nowhere is not there" in ended.reason
    assert Vocabulary.load(project.vocab_folder).hash == vocabulary.hash


def test_texts_are_cut_after_max_tokens(project, tmp_path):
    recipe = project.recipe.model_copy(deep=True)
    recipe.vocab.max_tokens = 5
    other = Project.create(tmp_path / "other", recipe)
    assert launch(other, "import").status == launch(other, "vocab").status == "done"
    tokens = open_tokens(other.tokens_folder, Vocabulary.load(other.vocab_folder), "dataset")
    assert set(tokens.lengths.tolist()) == {5}


# Training in the child process


def test_too_small_a_size_is_refused_with_what_to_do(tmp_path):
    text = " ".join(chr(code) for code in range(0x4E00, 0x4E00 + 300))
    with pytest.raises(UserError, match="of 100 pieces is too small for this text, which has .* different characters"):
        train_vocab.train([text] * 3, VocabSettings(size=100, coverage=1.0), tmp_path, Run())


def test_no_text_is_refused(tmp_path):
    with pytest.raises(UserError, match="SentencePiece could not learn a vocabulary"):
        train_vocab.train([], VocabSettings(), tmp_path, Run())


def test_a_stop_ends_the_child(tmp_path):
    control = Control()
    threading.Timer(0.3, control.stop).start()
    with pytest.raises(Stopped):
        train_vocab.train(many_words(4000), VocabSettings(size=30_000), tmp_path, Run(control=control))


@pytest.mark.parametrize("kind", ["unigram", "bpe", "char"])
def test_the_bound_of_the_coverage_is_that_of_sentencepiece(tmp_path, kind):
    with pytest.raises(UserError, match="coverage cannot be 0.979: .* greater than or equal to 0.98"):
        set_value(Recipe(), "vocab.coverage", 0.979)
    train_vocab.train(TEXT, VocabSettings(kind=kind, size=100, coverage=0.98), tmp_path, Run())
    below = VocabSettings(kind=kind, size=100).model_copy(update={"coverage": 0.979})
    with pytest.raises(UserError, match="could not learn a vocabulary: .*coverage"):
        train_vocab.train(TEXT, below, tmp_path, Run())


def test_progress_is_told_of_the_sample_and_of_merged_pairs(tmp_path):
    seen = []
    settings = VocabSettings(kind="bpe", size=800, coverage=1.0, sample_mb=0.02)
    train_vocab.train(many_words(300), settings, tmp_path, Run(sink=seen.append))
    shares = {
        label: [event.done / event.total for event in seen if event.label == label and event.total]
        for label in (train_vocab.SAMPLE_LABEL, train_vocab.LABEL)
    }
    assert all(values == sorted(values) and values for values in shares.values())
    assert len(set(shares[train_vocab.LABEL])) > 3 and 0.8 < shares[train_vocab.LABEL][-1] <= 1


# Holding the child

LINUX = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks at processes in /proc, as Linux has it")


def many_words(lines):
    """Lines of 50 words that do not repeat: enough of them keep SentencePiece busy for seconds."""
    return [" ".join(f"w{n * 7919 % 100003}x{k}" for k in range(50)) for n in range(lines)]


def stat(process):
    """State (R, S, T …), parent and processor time of a process, from proc(5); None once it is gone."""
    try:
        fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return None if fields[0] in "ZX" else (fields[0], int(fields[1]), int(fields[11]) + int(fields[12]))


def trainers(parent):
    """The process that learns a vocabulary for `parent`, in a list."""
    own = [int(path.name) for path in Path("/proc").glob("[0-9]*") if (stat(path.name) or (0, 0))[1] == parent]
    return [process for process in own if b"train_vocab" in Path(f"/proc/{process}/cmdline").read_bytes()]


def wait_for(condition, seconds=60):
    late = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < late, "waited in vain"
        time.sleep(0.02)
    return found


@LINUX
def test_a_pause_holds_the_child_and_changes_nothing(tmp_path):
    texts, settings, control, made = many_words(600), VocabSettings(size=1000), Control(), []
    for name in ("calm", "paused"):
        (tmp_path / name).mkdir()
    calm = train_vocab.train(texts, settings, tmp_path / "calm", Run())
    run = Run(control=control)
    work = threading.Thread(target=lambda: made.append(train_vocab.train(texts, settings, tmp_path / "paused", run)))
    work.start()
    (child,) = wait_for(lambda: trainers(os.getpid()))
    wait_for(lambda: stat(child)[2] > 20)  # it is past its imports
    control.pause()
    held = wait_for(lambda: stat(child) if stat(child)[0] == "T" else None)
    time.sleep(0.3)
    assert stat(child) == held, "no processor time goes by"
    control.resume()
    work.join(60)
    assert made == [calm] and run.paused_seconds > 0.3


@LINUX
def test_a_stop_ends_a_held_child(tmp_path):
    control, ended = Control(), []

    def work():
        try:
            train_vocab.train(many_words(4000), VocabSettings(size=30_000), tmp_path, Run(control=control))
        except Stopped as error:
            ended.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    (child,) = wait_for(lambda: trainers(os.getpid()))
    control.pause()
    wait_for(lambda: stat(child)[0] == "T")
    control.stop()
    thread.join(60)
    assert ended and stat(child) is None


@LINUX
def test_a_held_child_does_not_outlive_a_killed_parent(tmp_path):
    script = (
        "import sys; from pathlib import Path; from ulmfit_core.config import VocabSettings\n"
        "from ulmfit_core.run import Control, Run; from ulmfit_core.text import train_vocab\n"
        "control = Control()\n"
        "def listen(event):\n    if event.label == train_vocab.LABEL and event.total: control.pause()\n"
        "texts = [' '.join(f'w{n * 7919 % 100003}x{k}' for k in range(50)) for n in range(600)]\n"
        "train_vocab.train(texts, VocabSettings(size=500), Path(sys.argv[1]), Run(control=control, sink=listen))\n"
    )
    parent = subprocess.Popen([sys.executable, "-c", script, str(tmp_path)], cwd=Path(__file__).parents[2])
    (child,) = wait_for(lambda: trainers(parent.pid))
    wait_for(lambda: stat(child)[0] == "T")
    parent.kill()
    parent.wait()
    wait_for(lambda: stat(child) is None, 10)


def test_where_nothing_can_be_held_that_is_said(tmp_path, monkeypatch):
    """As on Windows, whose module of signals has no SIGSTOP."""
    monkeypatch.delattr(signal, "SIGSTOP")
    control, said = Control(), []

    def listen(event):
        said.append(event)
        if isinstance(event, events.Progress) and event.label == train_vocab.LABEL:
            control.pause()
        if isinstance(event, events.Message):
            threading.Timer(0.1, control.resume).start()

    train_vocab.train(TEXT, VocabSettings(size=100), tmp_path, Run(control=control, sink=listen))
    assert any("cannot be held" in event.text for event in said if isinstance(event, events.Message))


def test_lines_are_short_and_lose_nothing():
    text = " ".join(["word"] * 2000) + " " + "x" * 5000
    lines = list(train_vocab.lines_of(text))
    assert "".join(lines) == text and max(map(len, lines)) <= 2000


# The other kinds of pieces

TEXT = ["The quick brown fox jumps over the lazy dog, again and again.", "Zwölf Boxkämpfer jagen Viktor!"] * 30


def prose(syllables, seed):
    """300 different sentences of 80 made-up words."""
    draw = random.Random(seed)
    words = ["".join(draw.choices(syllables.split(), k=draw.randint(1, 3))) for _ in range(80)]
    return [" ".join(draw.choices(words, k=10)) for _ in range(300)]


def learned(tmp_path, texts=TEXT, **settings):
    wanted = VocabSettings(coverage=1.0, **settings)
    rule = catalog.resolve("rules", wanted.rules)
    content = train_vocab.train((vocab.prepare(text, rule) for text in texts), wanted, tmp_path, Run())
    return vocab.new_vocabulary(wanted.kind, content, wanted.rules, wanted.model_dump(mode="json"))


@pytest.mark.parametrize("kind", ["bpe", "char"])
def test_other_kinds_of_pieces(tmp_path, kind):
    made = learned(tmp_path, kind=kind, size=120)
    assert tuple(made.pieces[: len(SPECIALS)]) == SPECIALS and made.unit == "pieces"
    pieces = made.tokens("The fox jumps")
    assert pieces[:2] == ["xxbos", "xxmaj"] and made.decode(made.encode(["The fox jumps"])[0]) == "The fox jumps"
    assert (max(map(len, pieces[2:])) == 1) == (kind == "char")
    made.copy_to(tmp_path / "copy")
    assert Vocabulary.load(tmp_path / "copy").hash == made.hash


@pytest.mark.parametrize("kind", ["unigram", "bpe", "char"])
def test_with_bytes_nothing_but_xxunk_is_unknown(tmp_path, kind):
    made = learned(tmp_path, kind=kind, size=400, byte_fallback=True)
    assert made.unk not in made.encode(["the 漢 dog 😀"])[0]
    assert made.decode(made.encode(["The 漢 dog 😀"])[0]) == "The 漢 dog 😀"
    assert made.encode(["the xxunk dog"])[0].tolist().count(made.unk) == 1
    assert "xxunk" in made.decode(made.encode(["the xxunk dog"])[0])
    assert tuple(made.pieces[: len(SPECIALS)]) == SPECIALS and made.decode([made.id_of("<0xE6>")]) == "\ufffd"


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"kind": "bpe", "size": 100, "byte_fallback": True}, r"has 3\d different characters besides 256 bytes. Raise"),
        ({"kind": "char", "size": 100, "byte_fallback": True}, "has no room for 256 bytes. Raise the size"),
    ],
)
def test_what_sentencepiece_refuses_is_told_in_a_sentence(tmp_path, settings, sentence):
    with pytest.raises(UserError, match=sentence):
        train_vocab.train(TEXT, VocabSettings(**{"coverage": 1.0, **settings}), tmp_path, Run())


# A base with new pieces

KNOWN, STRANGE = prose("ka lo mi tre san der fo li", 1), prose("zwit ter ion lo mi phyl", 2)


@pytest.fixture(scope="module")
def extended(tmp_path_factory):
    """A base and the same with pieces of other text."""
    folder = tmp_path_factory.mktemp("extended")
    base = learned(folder, KNOWN + STRANGE[:3], size=120)
    return base, extend.extended(base, learned(folder, STRANGE, size=130), 12)


def test_new_pieces_follow_the_old_ones(extended):
    base, more = extended
    assert more.pieces[: base.size] == base.pieces and more.size == base.size + 12
    assert len(set(more.pieces)) == more.size and more.hash != base.hash
    assert len(more.encode(STRANGE[:1])[0]) < len(base.encode(STRANGE[:1])[0])
    assert more.decode(more.encode([STRANGE[0]])[0]) == STRANGE[0]


SOME_WORDS = st.lists(st.sampled_from(" ".join(KNOWN[:9] + STRANGE[:9]).split()), max_size=8)


@given(st.text(max_size=60) | SOME_WORDS.map(" ".join))
def test_a_text_without_new_pieces_is_cut_as_before(extended, text):
    base, more = extended
    prepared = vocab.prepare(text, catalog.resolve("rules", "ulmfit")).replace(" ", "▁")
    old, new = base.encode([text])[0], more.encode([text])[0]
    if any(piece in prepared for piece in more.pieces[base.size :]):
        assert more.decode(new) == more.decode(old) or base.unk in old
    else:
        assert old.tolist() == new.tolist()


def test_a_project_extends_the_vocabulary_of_its_base(project, vocabulary, tmp_path):
    vocabulary.copy_to(tmp_path / "bundle")
    (tmp_path / "bundle" / "model.json").write_text("{}")
    lines = [f"{text},{'xy'[n % 2]}" for n, text in enumerate(STRANGE)]
    (tmp_path / "b.csv").write_text("text,label\n" + "\n".join(lines), encoding="utf-8")
    recipe = project.recipe.model_copy(deep=True, update={"base": str(tmp_path / "bundle")})
    recipe.data = DataSettings(data=str(tmp_path / "b.csv"), text=["text"], label="label")
    recipe.vocab.extend = 10
    other = Project.create(tmp_path / "other", recipe)
    assert launch(other, "import").status == "done"
    ended = launch(other, "vocab")
    assert ended.status == "done", ended.reason
    found = Vocabulary.load(other.vocab_folder)
    assert found.pieces[: vocabulary.size] == vocabulary.pieces and found.size == vocabulary.size + 10
    assert found.facts["settings"]["extends"] == vocabulary.hash and ended.report["origin"] == "extended"
    assert vocabulary.size in [row["size"] for row in ended.report["by_size"]] or len(ended.report["by_size"]) > 3
    assert ended.report["shared"] == pytest.approx(1 - 10 / (found.size - len(SPECIALS)), abs=0.02)


def test_only_unigram_pieces_are_extended(tmp_path):
    words = vocab.new_vocabulary("word", json.dumps(SPECIALS).encode(), "fastai", {})
    for base in (learned(tmp_path, kind="bpe", size=120), words):
        with pytest.raises(UserError, match=f"kind “{base.facts['kind']}”. Set vocab.extend to 0"):
            extend.check(base)


# Facts to choose by


def test_smaller_vocabularies_need_more_tokens(tmp_path):
    made = learned(tmp_path, KNOWN, size=150)
    found = coverage.by_size(made, KNOWN[:9], [20, 60, 10**6])
    assert [figures.size for figures in found] == sorted({figures.size for figures in found}) and len(found) == 3
    assert found[0].tokens_per_word > found[-1].tokens_per_word > 1 and found[-1].size == made.size
    assert [figures.unknown for figures in found] == [0, 0, 0]
    assert found[-1].tokens_per_word == sum(map(len, made.encode(KNOWN[:9]))) / 90


def test_a_vocabulary_is_compared_with_its_halves_and_with_the_base(tmp_path):
    made = learned(tmp_path, KNOWN, size=150)
    assert coverage.smaller_sizes(made) == sorted({made.size >> times for times in (1, 2, 3, 4)} - set(range(10)))
    assert 60 in coverage.smaller_sizes(made, 60) and 60 not in coverage.smaller_sizes(made)
    assert coverage.smaller_sizes(made, made.size) == coverage.smaller_sizes(made)


def test_fewer_characters_know_less(tmp_path):
    made = learned(tmp_path, kind="char", size=100)
    found = coverage.by_size(made, TEXT[:2], [20, 30, 40])
    assert [figures.size for figures in found] == [20, 30, 40, made.size]
    unknown = [figures.unknown for figures in found]
    assert unknown == sorted(unknown, reverse=True) and unknown[0] > unknown[1] > unknown[-1] == 0
    small = made.cut_down(20)
    kept = set("".join(small.pieces[len(SPECIALS) :]).replace("▁", " "))
    prepared = vocab.prepare(TEXT[0], catalog.resolve("rules", "ulmfit"))
    lost = "".join(" " if each in kept else "#" for each in re.sub("xx(maj|up|w?rep)", "", prepared))
    assert small.encode(TEXT[:1])[0].tolist().count(small.unk) == len(re.findall("#+", lost))


def test_bytes_stand_in_for_characters_that_are_cut_off(tmp_path):
    made = learned(tmp_path, kind="char", size=400, byte_fallback=True)
    found = coverage.by_size(made, TEXT[:2], [made.size - 20, made.size - 10])
    assert [figures.unknown for figures in found] == [0, 0, 0]
    words = sum(len(text.split()) for text in TEXT[:2])
    more = (found[0].tokens_per_word - found[-1].tokens_per_word) * words
    assert more == pytest.approx(2), "one more byte for each of ö and ä"
    assert made.cut_down(made.size - 20).encode(["the xxunk dog"])[0].tolist().count(made.unk) == 1


def test_every_kind_has_a_usual_size_that_its_setting_takes():
    assert set(VOCAB_SIZES) == set(catalog.VOCABULARIES)
    assert VocabSettings().size == VOCAB_SIZES[VocabSettings().kind]
    assert all(VocabSettings(kind=kind, size=size).size == size for kind, size in VOCAB_SIZES.items())


def test_a_cut_down_vocabulary_keeps_specials_and_characters(tmp_path):
    made = learned(tmp_path, KNOWN, size=150)
    small = made.cut_down(30)
    assert tuple(small.pieces[: len(SPECIALS)]) == SPECIALS and small.pieces[:30] == made.pieces[:30]
    assert all(len(piece) == 1 for piece in small.pieces[30:]) and set(small.pieces) < set(made.pieces)
    assert small.decode(small.encode(KNOWN[:1])[0]) == KNOWN[0]


def test_frequent_and_unknown_tokens(tmp_path):
    made = learned(tmp_path, size=120)
    ids = np.concatenate(made.encode(["the dog", "the 漢 fox xxunk", "漢漢 the"]))
    counted = Counter(made.pieces[number] for number in ids)
    found = coverage.most_frequent(ids, made, 5)
    assert dict(found).items() <= counted.items() and [count for _, count in found] == sorted(counted.values())[:-6:-1]
    assert len(coverage.most_frequent(ids, made, 10**6)) == len(counted)
    assert dict(coverage.most_unknown(made, ["the 漢 fox xxunk", "漢 the"], 9)) == {"漢": 2, "xxunk": 1}
    assert coverage.overlap(made, made) == 1 and coverage.overlap(made, made.cut_down(40)) < 1


def test_facts_of_whole_words():
    content = json.dumps([*SPECIALS, "the", "film", "dog"]).encode()
    words = vocab.new_vocabulary("word", content, "ulmfit", {})
    assert [figures.size for figures in coverage.by_size(words, ["the film"], [10, 11])] == [10, 11, 12]
    assert [figures.unknown for figures in coverage.by_size(words, ["the film"], [10, 11])] == [1 / 3, 0, 0]
    assert coverage.most_unknown(words, ["the cat saw the cat"], 2) == [("cat", 2), ("saw", 1)]


def test_the_report_has_the_facts(project):
    report = project.report
    assert report["by_size"][-1]["size"] == report["size"] and report["shared"] is None
    assert len(report["by_size"]) > 2 and "transductive" not in report
    assert (report["kind"], report["rules"], report["origin"]) == ("unigram", "ulmfit", "learned")
    assert report["hash"] == Vocabulary.load(project.vocab_folder).hash
    assert report["sample"] == sum(map(len, sample_texts(Dataset.open(project.dataset_folder), 500_000)))
    assert ["xxbos", 60] in [list(pair) for pair in report["frequent"]] and report["not_known"] == []


@given(st.lists(st.tuples(st.text(max_size=200), st.floats(-20, -1, width=32)), max_size=5))
def test_model_files_are_read_as_they_are_written(pieces):
    content = model_file.with_pieces(b"\x12\x02ab", pieces)
    assert b"".join(record for _, record in model_file._records(content)) == content
    assert model_file.with_only(content, range(1)) == model_file.with_pieces(b"\x12\x02ab", pieces[:1])
