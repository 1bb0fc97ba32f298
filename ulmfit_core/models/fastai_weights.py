"""fastai's language models: which tensor is which in the files of fastai 2, 1 and 0.7, and which row is whose word."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import torch
from pydantic import ValidationError
from torch import Tensor

from ulmfit_core import reading
from ulmfit_core.config import ModelSettings
from ulmfit_core.errors import UserError
from ulmfit_core.models import inert_pickle
from ulmfit_core.models.bundle import new_encoder
from ulmfit_core.models.inert_pickle import Record, Unexpected
from ulmfit_core.models.language_model import LanguageModel
from ulmfit_core.models.mapping import NEW, take_rows
from ulmfit_core.models.torch_file import read_weights
from ulmfit_core.text.rules import SPECIALS
from ulmfit_core.text.vocab import SPACE

# fastai's names → those of LanguageModel. An encoder's file has the first ones without `0.`.
EMBEDDING = ("0.encoder.weight",)
TIED = ("0.encoder_dp.emb.weight", "0.encoder_with_dropout.embed.weight", "1.decoder.weight")
BIAS = "1.decoder.bias"
LAYER = re.compile(r"0\.rnns\.(\d)\.(?:module\.)?(weight|bias)_(ih|hh)_l0(_raw)?")
QRNN = re.compile(r"rnns\.\d\.(?:module\.)?(?:layers\.|linear\.)")
CLASSIFIER = re.compile(r"0\.module\.|1\.layers\.")
# fastai 0.7 wrote its special tokens so. It had none for xxeos and xxmaj.
OLD_SPECIALS = {
    "_unk_": "xxunk", "_pad_": "xxpad", "xbos": "xxbos", "xfld": "xxfld", "tk_rep": "xxrep", "tk_wrep": "xxwrep",
    "t_up": "xxup",
}  # fmt: skip
FASTCORE_LIST = ("fastcore.foundation", "L")


@dataclass(frozen=True)
class FastaiModel:
    """A file of weights in today's names. `kind` is language_model or encoder, `version` that of the file's layout."""

    kind: str
    version: str
    network: ModelSettings
    weights: dict[str, Tensor]

    @property
    def rows(self) -> int:
        """Length of the vocabulary it was trained with."""
        return len(self.weights["bias"])


def read_model(path: Path) -> FastaiModel:
    """Read a .pth or .h5 file. Raises UserError for one that is no AWD-LSTM language model, with the reason."""
    found = read_weights(path)
    if any(QRNN.search(name) for name in found):
        raise UserError(f"{path.name} holds a QRNN. Only LSTM models can be imported so far.")
    if any(CLASSIFIER.match(name) for name in found):
        raise UserError(
            f"{path.name} holds a classifier. Import the language model it was made from, or its encoder, saved with "
            "learn.save_encoder, and train the classifier here."
        )
    kind = "language_model" if EMBEDDING[0] in found else "encoder"
    named = found if kind == "language_model" else {f"0.{name}": value for name, value in found.items()}
    weights = _renamed(named, path)
    return FastaiModel(kind, _version(named), _sizes(weights, path), weights)


def _version(named: Mapping[str, Tensor]) -> str:
    if "0.encoder_with_dropout.embed.weight" in named:
        return "0.7"
    # fastai 1 also kept the weights after their dropout.
    return "1" if any(name.endswith("module.weight_hh_l0") for name in named) else "2"


def _renamed(named: Mapping[str, Tensor], path: Path) -> dict[str, Tensor]:
    """Weights under the names of LanguageModel, in float32. What stands there twice must be the same twice."""
    embedding = named.get(EMBEDDING[0])
    if embedding is None or embedding.ndim != 2:
        raise UserError(f"{path.name} has no embedding, so it is no language model of fastai.")
    weights = {"encoder.embedding": embedding, "bias": named.get(BIAS, torch.zeros(len(embedding)))}
    for name, value in named.items():
        if layer := LAYER.fullmatch(name):
            number, what, where, raw = layer.groups()
            if raw or name.endswith("_ih_l0") or what == "bias":  # the other hidden weights are after dropout
                weights[f"encoder.layers.{number}.{what}_{where}"] = value
        elif name in TIED:
            if not torch.equal(value, embedding):
                raise UserError(f"{path.name}: {name} differs from the embedding. Only tied models can be imported.")
        elif name not in (*EMBEDDING, BIAS):
            raise UserError(f"{path.name} holds {name}, which is no part of an AWD-LSTM language model.")
    return {name: value.float() for name, value in weights.items()}


def _sizes(weights: Mapping[str, Tensor], path: Path) -> ModelSettings:
    """The network's sizes, read off the shapes; every shape must follow from them."""
    layers = sum(name.endswith("weight_hh") for name in weights)
    first = weights.get("encoder.layers.0.weight_hh", torch.empty(0, 0))
    try:
        network = ModelSettings(embedding=weights["encoder.embedding"].shape[1], hidden=first.shape[-1], layers=layers)
    except ValidationError as error:
        what, reason = error.errors()[0]["loc"][0], error.errors()[0]["msg"]
        raise UserError(f"{path.name} cannot be imported: {what}: {reason}.") from None
    with torch.device("meta"):
        wanted = LanguageModel(new_encoder(network, len(weights["bias"]))).state_dict()
    for name in wanted.keys() | weights.keys():
        if name not in wanted or name not in weights or wanted[name].shape != weights[name].shape:
            raise UserError(f"{path.name} is not whole: {name} is missing or has another shape than the rest says.")
    return network


def read_words(path: Path) -> list[str]:
    """The words of a pickled vocabulary (itos.pkl, vocab.pkl) by id. Raises UserError where it is none."""
    content = BytesIO(reading.content(path))  # which gives no more than there is, whatever length a pickle asks for
    try:
        value = inert_pickle.read(content, {FASTCORE_LIST})
    except Unexpected as error:
        raise UserError(inert_pickle.refusal(path.name, error.name)) from None
    except ValueError as error:
        reason = reading.shortened(str(error))
        raise UserError(f"{path.name} is neither a file of torch nor a pickled list of words ({reason}).") from None
    if isinstance(value, Record) and isinstance(value.state, dict):
        value = value.state.get("items")
    if not isinstance(value, (list, tuple)) or not all(isinstance(word, str) for word in value):
        raise UserError(f"{path.name} is no list of words. Save the vocabulary of the language model, itos or vocab.")
    if sum(word[0] == SPACE and word.strip(SPACE) != "" for word in value if word) > len(value) / 10:
        raise UserError(
            f"{path.name} lists pieces of words made by SentencePiece. Only whole words can be imported so far."
        )
    return list(value)


def ordered(words: Sequence[str]) -> tuple[list[str], list[int]]:
    """The words with this program's special tokens first, and for each its row in fastai's order, or NEW.

    Special tokens are found by their names: fastai's versions number them differently.
    """
    places = {word: row for row, word in reversed(list(enumerate(words)))}
    places = {name: places[word] for word, name in OLD_SPECIALS.items() if word in places} | places
    rows = [places.get(special, NEW) for special in SPECIALS]
    taken = set(rows)
    rest = [row for row in range(len(words)) if row not in taken]
    return [*SPECIALS, *(words[row] for row in rest)], [*rows, *rest]


def build(model: FastaiModel, rows: Sequence[int]) -> LanguageModel:
    """The language model, its rows in the order of `rows`, in evaluation mode."""
    made = LanguageModel(new_encoder(model.network, model.rows))
    made.load_state_dict(model.weights)
    take_rows(made, rows)
    return made.eval()
