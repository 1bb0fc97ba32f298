"""A model of fastai becomes an ordinary bundle: the same logits, a model card, and a project that starts from it."""

import errno
import hashlib
import io
import json
import tarfile
import tempfile
from pathlib import Path

import pytest
import torch
from typer.testing import CliRunner

from tests.faults.failing_disk import FailingDisk
from ulmfit_core import events
from ulmfit_core.__main__ import app
from ulmfit_core.config import DataSettings, Recipe, VocabSettings
from ulmfit_core.errors import UserError
from ulmfit_core.inference.predictor import Predictor
from ulmfit_core.jobs.import_fastai import import_fastai
from ulmfit_core.models import bundle as bundles
from ulmfit_core.models.fastai_weights import read_words
from ulmfit_core.project import Project
from ulmfit_core.run import launch
from ulmfit_core.text.rules import SPECIALS
from ulmfit_core.text.vocab import Vocabulary

FILES = Path(__file__).parents[1] / "fixtures" / "fastai"
WEIGHTS, WORDS = FILES / "v2" / "weights.pth", FILES / "v2" / "vocab.pkl"
EXPECTED = json.loads((FILES / "expected.json").read_text(encoding="utf-8"))
NAMES_07 = {"_unk_": "xxunk", "_pad_": "xxpad", "xbos": "xxbos", "xfld": "xxfld", "tk_rep": "xxrep", "t_up": "xxup"}


def logits(folder: Path, vocabulary: Path, ids: list[int]) -> torch.Tensor:
    """What the imported model says of fastai's `ids`, (time, words), words in fastai's order."""
    bundle = bundles.load(folder)
    names = [NAMES_07.get(word, word) for word in read_words(vocabulary)]
    fakes = iter(number for number, word in enumerate(bundle.vocab.pieces) if word == "xxfake")
    places = [next(fakes) if name == "xxfake" else bundle.vocab.id_of(name) for name in names]
    with torch.inference_mode():
        output = bundle.model(torch.tensor([[places[number] for number in ids]]), bundle.model.encoder.initial_state(1))
    return output.logits[0][:, places]


@pytest.mark.parametrize(
    ("weights", "vocabulary"),
    [
        ("v2/weights.pth", "v2/vocab.pkl"),
        ("v2/with_opt.pth", "v2/vocab_L.pkl"),
        ("v2/vocab.pkl", "v2/weights.pth"),
    ],
)
def test_fastai_2_gives_the_same_logits(tmp_path, weights, vocabulary):
    import_fastai([FILES / weights, FILES / vocabulary], tmp_path / "model")
    wanted = torch.tensor(EXPECTED["logits"])
    assert (logits(tmp_path / "model", WORDS, EXPECTED["ids"]) - wanted).abs().max() < 1e-5


def test_fastai_1_gives_the_same_logits(tmp_path):
    report = import_fastai([FILES / "v1" / "weights.pth", FILES / "v1" / "itos.pkl"], tmp_path / "model")
    wanted = torch.tensor(EXPECTED["logits"])
    assert report["format"] == "fastai 1"
    assert (logits(tmp_path / "model", WORDS, EXPECTED["ids"]) - wanted).abs().max() < 1e-5


def test_fastai_07_gives_the_same_logits_but_for_the_bias_it_lacks(tmp_path):
    """Its file was cut from the same model, so logits must differ by that model's bias alone."""
    report = import_fastai([FILES / "v07" / "weights.h5", FILES / "v07" / "itos.pkl"], tmp_path / "model")
    assert report["format"] == "fastai 0.7" and report["new_specials"] == ["xxeos", "xxwrep", "xxmaj"]
    words, old = read_words(WORDS), [NAMES_07.get(word, word) for word in read_words(FILES / "v07" / "itos.pkl")]
    fakes = [number for number, word in enumerate(words) if word == "xxfake"]
    kept = [words.index(word) for word in old if word != "xxfake"] + fakes
    import_fastai([WEIGHTS, WORDS], tmp_path / "whole")
    bias = bundles.load(tmp_path / "whole").model.bias.detach()[kept]  # fastai 2 has this program's order
    ids = [number for number in EXPECTED["ids"][:60] if number in kept]
    short = logits(tmp_path / "model", FILES / "v07" / "itos.pkl", [kept.index(number) for number in ids])
    whole = logits(tmp_path / "whole", WORDS, ids)[:, kept] - bias
    assert (short - whole).abs().max() < 1e-5
    model = bundles.load(tmp_path / "model").model
    assert not model.bias.any()
    assert torch.allclose(model.encoder.embedding[SPECIALS.index("xxmaj")], whole_embedding(tmp_path)[kept].mean(0))


def whole_embedding(folder):
    return bundles.load(folder / "whole").model.encoder.embedding.detach()


def test_an_encoder_is_a_language_model_with_a_bias_of_zero(tmp_path):
    report = import_fastai([FILES / "v2" / "encoder.pth", WORDS], tmp_path / "model")
    model = bundles.load(tmp_path / "model").model
    assert report["kind"] == "encoder" and not model.bias.any()
    import_fastai([WEIGHTS, WORDS], tmp_path / "whole")
    assert torch.equal(model.encoder.embedding, whole_embedding(tmp_path))


def test_the_model_card_names_the_sources(tmp_path):
    report = import_fastai([WEIGHTS, WORDS], tmp_path / "model")
    card = (tmp_path / "model" / "MODEL_CARD.md").read_text(encoding="utf-8")
    assert hashlib.sha256(WEIGHTS.read_bytes()).hexdigest() in card and "vocab.pkl: 426 bytes" in card
    assert report == {
        "kind": "language_model", "format": "fastai 2", "words": 64, "embedding": 12, "hidden": 20, "layers": 3,
        "cell": "lstm", "softmax": "full", "new_specials": [], "folder": str(tmp_path / "model"),
    }  # fmt: skip
    assert bundles.load(tmp_path / "model").facts["sources"][0]["bytes"] == WEIGHTS.stat().st_size


# Archives


def packed(path: Path, members: dict[str, Path | bytes]) -> Path:
    with tarfile.open(path, "w:gz") as archive:
        for name, source in members.items():
            content = source if isinstance(source, bytes) else source.read_bytes()
            facts = tarfile.TarInfo(name)
            facts.size = len(content)
            archive.addfile(facts, io.BytesIO(content))
    return path


def test_an_archive_is_imported(tmp_path):
    members = {"tiny-fwd/itos.pkl": WORDS, "tiny-fwd/lstm.pth": WEIGHTS, "tiny-fwd/README": b"words"}
    import_fastai([packed(tmp_path / "tiny-fwd.tgz", members)], tmp_path / "model")
    assert bundles.load(tmp_path / "model").vocab.size == 64


def test_an_archive_writes_nothing_outside(tmp_path):
    home = tmp_path / "home"
    home.mkdir()
    members = {"../../lstm.pth": WEIGHTS, "/itos.pkl": WORDS, "../escaped.txt": b"x", str(tmp_path / "a.pkl"): b"x"}
    with pytest.raises(UserError, match="One file of weights"):  # a.pkl is one too many
        import_fastai([packed(home / "evil.tgz", members)], home / "model")
    assert [path.name for path in home.iterdir()] == ["evil.tgz"] and [path.name for path in tmp_path.iterdir()] == [
        "home"
    ]


def test_an_archive_with_a_link_is_read_without_it(tmp_path):
    with tarfile.open(tmp_path / "a.tar", "w") as archive:
        link = tarfile.TarInfo("itos.pkl")
        link.type, link.linkname = tarfile.SYMTYPE, str(WORDS)
        archive.addfile(link)
        archive.add(WEIGHTS, "lstm.pth")
    with pytest.raises(UserError, match="are needed, not lstm.pth"):
        import_fastai([tmp_path / "a.tar"], tmp_path / "model")


def test_an_archive_too_large_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("ulmfit_core.jobs.import_fastai.MOST_BYTES", 1000)
    with pytest.raises(UserError, match="larger than 8 GB"):
        import_fastai([packed(tmp_path / "a.tgz", {"a.pth": WEIGHTS})], tmp_path / "model")


def test_a_disk_that_is_full_while_an_archive_is_unpacked_is_not_told_as_a_bad_archive(tmp_path, monkeypatch):
    archive = packed(tmp_path / "a.tgz", {"itos.pkl": WORDS, "lstm.pth": WEIGHTS})
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    full = FailingDisk(tmp_path / "temporary", 2, errno.ENOSPC, for_good=True)  # the first thing is its folder
    with full.at_work(), pytest.raises(UserError, match=r"The disk is full: .*itos.pkl could not be written."):
        import_fastai([archive], tmp_path / "model")


# Refusals


@pytest.mark.parametrize(
    ("sources", "sentence"),
    [
        ([WEIGHTS], "are needed, not weights.pth"),
        ([WORDS], "are needed, not vocab.pkl"),
        ([WEIGHTS, WEIGHTS], "are needed, not weights.pth, weights.pth"),
        ([FILES / "v2" / "export.pkl"], "can run any code"),
        ([FILES / "v2" / "export.pkl", WORDS], "can run any code"),
        ([FILES / "v2" / "export.pkl", WEIGHTS], "can run any code"),
        ([WEIGHTS, FILES / "v07" / "itos.pkl"], "itos.pkl has 61 words, but weights.pth was trained with 64"),
        ([WEIGHTS, FILES / "nowhere.pkl"], "There is no file"),
    ],
)
def test_what_cannot_be_imported_leaves_nothing_behind(tmp_path, sources, sentence):
    with pytest.raises(UserError, match=sentence):
        import_fastai(sources, tmp_path / "model")
    assert not list(tmp_path.iterdir())


def test_a_backward_model_is_refused_by_its_name(tmp_path):
    archive = packed(tmp_path / "a.tgz", {"lstm_bwd.pth": WEIGHTS, "itos_bwd.pkl": WORDS})
    with pytest.raises(UserError, match="lstm_bwd.pth is a backward model by its name"):
        import_fastai([archive], tmp_path / "model")


def test_a_folder_with_something_in_it_is_not_overwritten(tmp_path):
    (tmp_path / "mine.txt").write_text("x")
    with pytest.raises(UserError, match="is not empty"):
        import_fastai([WEIGHTS, WORDS], tmp_path)
    assert (tmp_path / "mine.txt").exists()


def test_the_command_line(tmp_path):
    done = CliRunner().invoke(app, ["import-fastai", str(WORDS), str(WEIGHTS), "--out", str(tmp_path / "m"), "--json"])
    assert done.exit_code == 0 and json.loads(done.stdout)["words"] == 64
    done = CliRunner().invoke(app, ["generate", str(tmp_path / "m"), "the film", "--words", "5"])
    assert done.exit_code == 0 and done.stdout.startswith("the film")


# A project on it


@pytest.fixture
def project(reviews, tmp_path):
    import_fastai([WEIGHTS, WORDS], tmp_path / "model")
    data = DataSettings(data=str(reviews), text=["text"], label="label")
    recipe = Recipe(data=data, base=str(tmp_path / "model"))
    recipe.finetune.epochs = recipe.classify.epochs = 1
    recipe.classify.unfreezing = "all"
    project = Project.create(tmp_path / "project", recipe)
    assert launch(project, "import").status == "done"
    return project


def train(project, *steps):
    """Run the steps. Returns the sentences they said."""
    said = []
    for step in steps:
        ended = launch(project, step, sink=said.append)
        assert ended.status == "done", ended.reason
    return [event.text for event in said if isinstance(event, events.Message)]


def test_a_project_starts_from_it_and_classifies(project):
    said = train(project, "vocab", "finetune", "classify")
    assert not any("mapped" in text for text in said)
    base, tuned = (bundles.load(Path(folder)) for folder in (project.recipe.base, project.bundle_folder("finetune")))
    assert tuned.vocab.hash == base.vocab.hash and tuned.network == base.network
    (answer,) = Predictor.load(project.bundle_folder("classify")).predict(["a warm and funny film"])
    assert set(answer.probabilities) == {"pos", "neg"}


@pytest.mark.parametrize("kind", ["word", "unigram"])
def test_a_new_vocabulary_takes_the_rows_of_known_words(project, kind):
    project.recipe.vocab = VocabSettings(reuse=False, kind=kind, size=120, min_frequency=1, coverage=1.0)
    said = train(project, "vocab", "finetune")
    new, old = Vocabulary.load(project.vocab_folder), bundles.load(Path(project.recipe.base)).vocab
    known = sum(piece in set(old.pieces) for piece in new.pieces)
    assert 9 < known < new.size and new.hash != old.hash
    assert any(f"{known:,} of {new.size:,} rows were copied, {new.size - known:,} are new" in text for text in said)
    assert bundles.load(project.bundle_folder("finetune")).vocab.hash == new.hash


def test_a_step_of_the_project_that_is_out_of_step_is_refused_not_mapped(project):
    train(project, "vocab", "finetune")
    project.recipe.vocab = VocabSettings(reuse=False, kind="word", size=100, min_frequency=1)
    train(project, "vocab")
    ended = launch(project, "classify")
    assert ended.status == "failed" and "was trained with another vocabulary" in ended.reason
