"""Files of fastai are read as data: real ones are understood, and malicious or lying ones do nothing."""

import io
import os
import pickle  # noqa: TID251
import pickletools
import zipfile
from collections import OrderedDict
from pathlib import Path

import pytest
import torch

from ulmfit_core.config import ModelSettings
from ulmfit_core.errors import UserError
from ulmfit_core.models import inert_pickle
from ulmfit_core.models.fastai_weights import ordered, read_model, read_words
from ulmfit_core.models.mapping import NEW
from ulmfit_core.models.torch_file import read_weights
from ulmfit_core.text.rules import SPECIALS

FILES = Path(__file__).parents[1] / "fixtures" / "fastai"
SAVED = ["v2/with_opt.pth", "v2/weights.pth", "v2/encoder.pth", "v1/weights.pth", "v07/weights.h5"]


def save(value, path, new=True):
    torch.save(value, path, _use_new_zipfile_serialization=new)  # noqa: TID251
    return path


class Evil:
    """Its pickle makes a file where it is opened by Python itself."""

    def __init__(self, canary):
        self.canary = canary

    def __reduce__(self):
        return os.mkdir, (str(self.canary),)


# Real files


@pytest.mark.parametrize(
    ("name", "kind", "version", "rows"),
    [
        ("v2/with_opt.pth", "language_model", "2", 64),
        ("v2/weights.pth", "language_model", "2", 64),
        ("v2/encoder.pth", "encoder", "2", 64),
        ("v1/weights.pth", "language_model", "1", 64),
        ("v07/weights.h5", "language_model", "0.7", 61),
    ],
)
def test_what_a_file_is_follows_from_its_names_and_shapes(name, kind, version, rows):
    model = read_model(FILES / name)
    assert (model.kind, model.version, model.rows) == (kind, version, rows)
    assert model.network == ModelSettings(embedding=12, hidden=20, layers=3)


def test_the_weights_are_torchs_own_reading():
    found = read_weights(FILES / "v2" / "weights.pth")
    wanted = torch.load(FILES / "v2" / "weights.pth", weights_only=True)  # noqa: TID251
    assert found.keys() == wanted.keys()
    assert all(torch.equal(found[name], wanted[name]) for name in wanted)


@pytest.mark.parametrize("other", ["v2/with_opt.pth", "v1/weights.pth"])
def test_both_formats_of_torch_with_and_without_the_optimizer_hold_the_same_layers(other):
    first, second = read_model(FILES / "v2" / "weights.pth").weights, read_model(FILES / other).weights
    layers = [name for name in first if name.startswith("encoder.layers")]
    assert len(layers) == 12 and all(torch.equal(first[name], second[name]) for name in layers)


@pytest.mark.parametrize("new", [True, False])
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64, torch.int64, torch.bool])
def test_other_widths_views_and_parameters_are_read(tmp_path, new, dtype):
    matrix = torch.arange(24).reshape(4, 6).to(dtype)
    state = {"whole": matrix, "turned": matrix.T, "part": matrix[1:3, ::2], "number": torch.tensor(7)}
    found = read_weights(save(state, tmp_path / "a.pth", new))
    assert all(torch.equal(found[name], state[name]) and found[name].dtype == state[name].dtype for name in state)


def test_a_parameter_is_its_tensor(tmp_path):
    path = save({"a": torch.nn.Parameter(torch.ones(3))}, tmp_path / "a.pth")
    assert read_weights(path)["a"].tolist() == [1, 1, 1]


@pytest.mark.parametrize("name", ["v2/vocab.pkl", "v2/vocab_L.pkl", "v1/itos.pkl", "v07/itos.pkl"])
def test_vocabularies(name):
    words = read_words(FILES / name)
    assert {"the", "film", "n't"} <= set(words) and all(isinstance(word, str) for word in words)


@pytest.mark.parametrize("protocol", range(6))
def test_every_protocol_of_pickle_is_read(tmp_path, protocol):
    words = ["a", "ü", "漢", "a", "x" * 300, ""] * 300
    (tmp_path / "itos.pkl").write_bytes(pickle.dumps(words, protocol))
    assert read_words(tmp_path / "itos.pkl") == words


# Whose row is whose


def test_special_tokens_come_first_and_are_found_by_name():
    words = ["xxunk", "xxpad", "xxbos", "xxeos", "xxfld", "xxmaj", "xxup", "xxrep", "xxwrep", "the", "xxfake", "xxfake"]
    names, rows = ordered(words)
    assert names == [*SPECIALS, "the", "xxfake", "xxfake"]
    assert [words[row] for row in rows] == names and sorted(rows) == list(range(len(words)))


def test_the_special_tokens_of_fastai_07_have_their_counterparts():
    names, rows = ordered(["_unk_", "_pad_", "the", "t_up", "tk_rep", "xbos"])
    assert names == [*SPECIALS, "the"]
    assert dict(zip(names, rows)) == {
        "xxunk": 0, "xxpad": 1, "xxbos": 5, "xxeos": NEW, "xxfld": NEW, "xxrep": 4, "xxwrep": NEW, "xxup": 3,
        "xxmaj": NEW, "the": 2,
    }  # fmt: skip


def test_sixty_thousand_words_are_ordered_in_a_moment():
    words = [*SPECIALS, *(f"w{number}" for number in range(60_000))]
    names, rows = ordered(words[::-1])
    assert names[:9] == list(SPECIALS) and sorted(rows) == list(range(60_009)) and rows[:2] == [60_008, 60_007]


# Refusals


def state_of(name="v2/weights.pth"):
    return dict(read_weights(FILES / name))


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda s: s.update({"0.rnns.0.layers.0.linear.weight_raw": torch.ones(2)}), "holds a QRNN"),
        (lambda s: s.update({"1.layers.0.2.weight": torch.ones(2)}), "holds a classifier.*save_encoder"),
        (lambda s: s.update({"1.decoder.weight": s["1.decoder.weight"] + 1}), "Only tied models"),
        (lambda s: s.update({"0.encoder_dp.emb.weight": torch.ones(2)}), "Only tied models"),
        (lambda s: s.update({"0.attention.weight": torch.ones(2)}), "0.attention.weight, which is no part"),
        (lambda s: s.pop("0.encoder.weight"), "no embedding"),
        (lambda s: s.pop("0.rnns.1.module.bias_ih_l0"), "layers.1.bias_ih is missing"),
        (lambda s: s.update({"0.rnns.2.weight_hh_l0_raw": torch.ones(3, 3)}), "layers.2.weight_hh .* another shape"),
    ],
)
def test_what_cannot_be_imported_is_told(tmp_path, change, sentence):
    state = state_of()
    change(state)
    with pytest.raises(UserError, match=sentence):
        read_model(save(state, tmp_path / "a.pth"))


def test_sizes_out_of_range_are_told(tmp_path):
    with pytest.raises(UserError, match="embedding: Input should be greater than or equal to 4"):
        read_model(save({"0.encoder.weight": torch.ones(9, 2)}, tmp_path / "a.pth"))


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"\x89HDF\r\n\x1a\n" + b"\0" * 64, "neither a file of torch nor a pickled list"),
        (b"", "neither a file of torch nor a pickled list"),
        (pickle.dumps(["a", 1]), "no list of words"),
        (pickle.dumps({"itos": ["a"]}), "no list of words"),
        (pickle.dumps(["▁the", "▁a", "ing", "xxbos"]), "SentencePiece"),
        (pickle.dumps(["a"] * 9)[:-3], "neither a file of torch nor a pickled list"),
    ],
)
def test_what_is_no_vocabulary_is_told(tmp_path, content, sentence):
    (tmp_path / "itos.pkl").write_bytes(content)
    with pytest.raises(UserError, match=sentence):
        read_words(tmp_path / "itos.pkl")


def test_export_pkl_is_refused_with_the_reason_and_the_way_out():
    with pytest.raises(UserError, match="can run any code.*learn.save_encoder"):
        read_model(FILES / "v2" / "export.pkl")


@pytest.mark.parametrize("name", SAVED)
def test_a_cut_file_is_damaged(tmp_path, name):
    content = (FILES / name).read_bytes()
    for share in (0.05, 0.5, 0.95):
        (tmp_path / "a.pth").write_bytes(content[: int(len(content) * share)])
        with pytest.raises(UserError, match="damaged"):
            read_model(tmp_path / "a.pth")


# Malice


@pytest.fixture
def canary(tmp_path):
    """A folder that is made if anything is executed. It is shown to sing first."""
    path = tmp_path / "canary"
    pickle.loads(pickle.dumps(Evil(path)))
    path.rmdir()
    yield path
    assert not path.exists()


@pytest.mark.parametrize("new", [True, False])
@pytest.mark.parametrize(
    "place",
    [
        lambda evil: evil,
        lambda evil: {"0.encoder.weight": evil},
        lambda evil: {"model": evil, "opt": {}},
        lambda evil: {"model": state_of(), "opt": evil},
        lambda evil: {"model": state_of(), "opt": {"hypers": [evil]}},
        lambda evil: OrderedDict({"a": torch.ones(2), "b": (evil,)}),
    ],
)
def test_nothing_runs_wherever_it_stands(tmp_path, canary, place, new):
    path = save(place(Evil(canary)), tmp_path / "a.pth", new)
    with pytest.raises(UserError, match="names (posix|nt).mkdir.*not opened"):
        read_model(path)


@pytest.mark.parametrize("position", range(1, 5))
def test_nothing_runs_in_any_pickle_of_the_older_format(tmp_path, canary, position):
    content = io.BytesIO((FILES / "v1" / "weights.pth").read_bytes())
    parts = []
    for _ in range(5):
        begin = content.tell()
        list(pickletools.genops(content))
        parts.append(content.getvalue()[begin : content.tell()])
    parts[position] = pickle.dumps(Evil(canary), 2)
    (tmp_path / "a.pth").write_bytes(b"".join(parts) + content.read())
    with pytest.raises(UserError, match="not opened"):
        read_model(tmp_path / "a.pth")


@pytest.mark.parametrize("protocol", range(6))
def test_nothing_runs_in_a_vocabulary(tmp_path, canary, protocol):
    (tmp_path / "itos.pkl").write_bytes(pickle.dumps(["the", Evil(canary)], protocol))
    with pytest.raises(UserError, match="mkdir.*not opened"):
        read_words(tmp_path / "itos.pkl")


@pytest.mark.parametrize(
    "program",
    [
        b"(S'%s'\nios\nmkdir\n.",  # INST
        b"(cos\nmkdir\nS'%s'\no.",  # OBJ
        b"\x80\x02cos\nmkdir\nS'%s'\n\x85\x81.",  # NEWOBJ
        b"\x80\x04\x8c\x02os\x8c\x05mkdir\x93S'%s'\n\x85R.",  # STACK_GLOBAL
        b"cbuiltins\ngetattr\n(cos\npath\nS'%s'\ntR.",
    ],
)
def test_no_opcode_calls_anything(tmp_path, canary, program):
    (tmp_path / "itos.pkl").write_bytes(program.replace(b"%s", str(canary).encode()))
    with pytest.raises(UserError, match="not opened|plain values do not need"):
        read_words(tmp_path / "itos.pkl")


@pytest.mark.parametrize(
    "program", [b".", b"0.", b"t.", b"]a.", b"g7\n.", b"Nb.", b"NNR.", b"}]Ns.", b"\x82\x01.", b"NQ"]
)
def test_senseless_programs_are_refused(program):
    with pytest.raises(ValueError):
        inert_pickle.read(io.BytesIO(program), set())


# Lies about sizes


class Storage:
    def __init__(self, count):
        self.count = count


class Tensor:
    def __init__(self, storage, offset, shape, strides):
        self.arguments = (storage, offset, shape, strides, False, OrderedDict())

    def __reduce__(self):
        return torch._utils._rebuild_tensor_v2, self.arguments


class Pickler(pickle.Pickler):
    def persistent_id(self, value):
        return ("storage", torch.FloatStorage, "0", "cpu", value.count) if isinstance(value, Storage) else None


def archive(path, tensor, content=b"\0" * 40, compression=zipfile.ZIP_STORED):
    """A file of torch whose one tensor is described at will; its storage is `content`."""
    described = io.BytesIO()
    Pickler(described, 2).dump({"0.encoder.weight": tensor})
    with zipfile.ZipFile(path, "w", compression) as zipped:
        zipped.writestr("a/data.pkl", described.getvalue())
        zipped.writestr("a/data/0", content)
    return path


def test_an_honest_archive_is_read(tmp_path):
    path = archive(tmp_path / "a.pth", Tensor(Storage(10), 1, (3, 3), (3, 1)))
    assert read_weights(path)["0.encoder.weight"].shape == (3, 3)


@pytest.mark.parametrize(
    ("tensor", "sentence"),
    [
        (Tensor(Storage(10), 2, (3, 3), (3, 1)), "beyond its storage"),
        (Tensor(Storage(10), 0, (3, 3), (4, 1)), "beyond its storage"),
        (Tensor(Storage(10), 0, (10**9, 10**9), (0, 0)), "beyond its storage"),
        (Tensor(Storage(10), -1, (3, 3), (3, 1)), "not whole numbers"),
        (Tensor(Storage(10), 0, (3, 3), (3, -1)), "not whole numbers"),
        (Tensor(Storage(10), 0, (3, 3), (3,)), "not whole numbers"),
        (Tensor(Storage(10), 0, [3, 3], (3, 1)), "not whole numbers"),
        (Tensor(Storage(11), 0, (3, 3), (3, 1)), "40 bytes instead of 44"),
        (Tensor(Storage(10**12), 0, (10**6, 10**6), (10**6, 1)), "larger than the file"),
        (Tensor("storage", 0, (3, 3), (3, 1)), "no storage"),
    ],
)
def test_sizes_are_checked_before_memory_is_asked_for(tmp_path, tensor, sentence):
    with pytest.raises(UserError, match=sentence):
        read_weights(archive(tmp_path / "a.pth", tensor))


def test_a_compressed_archive_is_refused(tmp_path):
    bomb = archive(tmp_path / "a.pth", Tensor(Storage(10**7), 0, (9,), (1,)), b"\0" * 4 * 10**7, zipfile.ZIP_DEFLATED)
    assert bomb.stat().st_size < 10**5
    with pytest.raises(UserError, match="larger than the file"):
        read_weights(bomb)
