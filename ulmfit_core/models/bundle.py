"""A bundle is a folder with all that prediction needs: weights, sizes, tokenizer, labels, a model card."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import inf
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from torch import nn

from ulmfit_core import __version__, files
from ulmfit_core.config import ClassifySettings, ModelSettings, StageSettings
from ulmfit_core.errors import UserError
from ulmfit_core.models import decoder, description, int8, weights
from ulmfit_core.models.awd_lstm import AwdLstm
from ulmfit_core.models.classifier import Classifier, Head
from ulmfit_core.models.dropout import Dropouts
from ulmfit_core.models.language_model import LanguageModel
from ulmfit_core.models.scope import Scope
from ulmfit_core.models.word_counts import Exponents, Pool, WordCounts
from ulmfit_core.text.vocab import Vocabulary


@dataclass
class Bundle:
    """A loaded model in evaluation mode with its vocabulary. `max_tokens` 0: texts are read whole.

    `pool`: what a classifier's answers are made of beside its network; None: they are the network's as it was trained.
    `scope`: by what it tells unknown texts; None: it cannot.
    """

    kind: str
    network: ModelSettings
    model: nn.Module
    vocab: Vocabulary
    labels: list[str] = field(default_factory=list)
    max_tokens: int = 0
    facts: dict[str, Any] = field(default_factory=dict)
    pool: Pool | None = None
    scope: Scope | None = None


def dropouts(settings: StageSettings, share: float = 1.0) -> Dropouts:
    """The five dropouts of a stage, scaled by its `drop_mult` and by the `share` of them that is in force."""
    s = settings
    drops = Dropouts(s.embedding_drop, s.input_drop, s.hidden_drop, s.weight_drop, s.output_drop)
    return drops.scaled(s.drop_mult * share)


def new_encoder(network: ModelSettings, vocabulary: int, drops: Dropouts | None = None) -> AwdLstm:
    n = network
    return AwdLstm(vocabulary, n.embedding, n.hidden, n.layers, drops or Dropouts(), n.cell)


def new_language_model(network: ModelSettings, vocabulary: int, settings: StageSettings) -> LanguageModel:
    """Fresh weights from the stage's seed."""
    model = _language_model(new_encoder(network, vocabulary, dropouts(settings)), network)
    model.encoder.reset(torch.Generator().manual_seed(settings.seed))
    return model


def _language_model(encoder: AwdLstm, network: ModelSettings) -> LanguageModel:
    return LanguageModel(encoder, decoder.cutoffs(network.softmax, encoder.embedding.shape[0]))


def new_classifier(encoder: AwdLstm, classes: int, settings: ClassifySettings) -> Classifier:
    """A fresh head, from the stage's seed, on an encoder."""
    drops = dropouts(settings)
    encoder.set_dropouts(drops)
    head = Head(3 * encoder.features, settings.head, classes, (drops.output, settings.head_drop))
    head.reset(torch.Generator().manual_seed(settings.seed + 1))
    return Classifier(encoder, head, settings.bptt, settings.max_length)


def save(folder: Path, bundle: Bundle, card: str, eight_bits: bool = False) -> None:
    """Write the bundle as a whole or not at all; with `eight_bits` its matrices as int8 with a scale a row."""
    with files.replacing_folder(folder) as fresh:
        stored = {name: value.detach().cpu().contiguous() for name, value in bundle.model.state_dict().items()}
        stored = int8.packed(stored) if eight_bits else stored
        files.write_bytes(fresh / "weights.safetensors", safetensors.torch.save(stored))
        record = _description(bundle)
        if bundle.pool:
            record["blend"] = _saved_pool(fresh, bundle.pool)
        if bundle.scope:
            record["scope"] = bundle.scope.save(fresh)
        record["format"] = 4 if bundle.scope else 3 if eight_bits else 2 if bundle.pool else 1
        files.write_json(fresh / "model.json", record)
        files.write_text(fresh / "MODEL_CARD.md", card)
        bundle.vocab.copy_to(fresh)


def _saved_pool(folder: Path, pool: Pool) -> dict[str, Any]:
    known = {"hash": pool.words.save(folder)} if pool.words else {}
    return {"network": pool.exponents.network, "words": pool.exponents.words, **known}


def _description(bundle: Bundle) -> dict[str, Any]:
    record: dict[str, Any] = {
        "version": __version__,
        "kind": bundle.kind,
        "network": bundle.network.model_dump(),
        "vocabulary": {"hash": bundle.vocab.hash, "size": bundle.vocab.size},
        "facts": bundle.facts,
    }
    if isinstance(bundle.model, Classifier):
        model = bundle.model
        record |= {"labels": bundle.labels, "max_tokens": bundle.max_tokens}
        record["classifier"] = {
            "bptt": model.bptt, "max_length": model.max_length, "head": model.head.linear1.out_features,
        }  # fmt: skip
    return record


def load(folder: Path) -> Bundle:
    """Read a bundle; nothing in it is executed. Raises UserError where it is damaged, foreign or too new.

    Sizes are those that the weights' file has, so that no more memory is asked for than it fills.
    """
    record = description.read(folder)
    vocab = Vocabulary.load(folder)
    if vocab.hash != record["vocabulary"]["hash"]:
        raise UserError(f"{folder}: the vocabulary does not belong to this model. Restore the folder from its source.")
    model = _filled(folder / "weights.safetensors", record, vocab.size)
    pool = _pool(folder, record)
    scope = Scope.load(folder, str(record["scope"])) if "scope" in record else None
    cut, network = record.get("max_tokens", 0), ModelSettings.model_validate(record["network"])
    return Bundle(record["kind"], network, model, vocab, record.get("labels", []), cut, record["facts"], pool, scope)


def _filled(path: Path, record: dict[str, Any], vocabulary: int) -> nn.Module:
    """The model that the record describes with the weights of the file, in evaluation mode."""
    try:
        with torch.device("meta"):
            described = _described(record, vocabulary)
        loaded = weights.load(path, described)
    except ValueError as error:
        raise UserError(f"{path.parent}: {path.name} does not fit model.json ({error}).") from None
    model = _described(record, vocabulary)
    model.load_state_dict(loaded)
    return model.eval()


def _described(record: dict[str, Any], vocabulary: int) -> nn.Module:
    network = ModelSettings.model_validate(record["network"])
    encoder = new_encoder(network, vocabulary)
    return _language_model(encoder, network) if record["kind"] == "language_model" else _classifier(encoder, record)


def _pool(folder: Path, record: dict[str, Any]) -> Pool | None:
    """What a classifier's answers are pooled from, if they are. Raises UserError where that is damaged."""
    match record.get("blend"):
        case None:
            return None
        case {"network": float(a), "words": float(b), "hash": str(known)} if 0 <= a < inf and 0 < b < inf:
            return Pool(Exponents(a, b), WordCounts.load(folder, known, len(record.get("labels", []))))
        case {"network": float(a), "words": 0.0, **rest} if 0 < a < inf and not rest:
            return Pool(Exponents(a))
    raise UserError(
        f"{folder / 'model.json'}: what it says of how answers are made (“blend”) is damaged. "
        "Restore the folder from its source, or train the classifier again."
    )


def _classifier(encoder: AwdLstm, record: dict[str, Any]) -> Classifier:
    sizes = record["classifier"]
    head = Head(3 * encoder.features, sizes["head"], len(record["labels"]), (0.0, 0.0))
    return Classifier(encoder, head, sizes["bptt"], sizes["max_length"])
