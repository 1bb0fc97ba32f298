"""Import a language model of fastai: a file of weights and a vocabulary, or an archive of both, become a bundle."""

from __future__ import annotations

import lzma
import re
import tarfile
import tempfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ulmfit_core import __version__, files, reading
from ulmfit_core.errors import UserError
from ulmfit_core.models import bundle as bundles
from ulmfit_core.models import fastai_weights
from ulmfit_core.models.bundle import Bundle
from ulmfit_core.models.fastai_weights import FastaiModel
from ulmfit_core.models.mapping import NEW
from ulmfit_core.models.torch_file import is_torch_file
from ulmfit_core.text import words
from ulmfit_core.text.rules import SPECIALS
from ulmfit_core.text.vocab import new_vocabulary

ARCHIVES = (".tgz", ".tar.gz", ".tar")
PARTS = (".pth", ".pt", ".h5", ".pkl")
MOST_BYTES = 8 * 2**30
CHUNK = 2**20
BACKWARD = re.compile(r"bwd|backward", re.IGNORECASE)
# The one rule set that fastai's words fit.
RULES = "fastai"


def import_fastai(sources: list[Path], out: Path) -> dict[str, Any]:
    """Write the bundle `out` from weights and vocabulary, in either order. Nothing in them is executed.

    Returns kind, format (version of fastai), words, sizes of the network, new_specials, folder. Raises UserError
    where files are missing, unsafe, damaged or do not fit each other, or `out` is there already.
    """
    out = files.at_home(out).absolute()
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise UserError(f"{out} exists already and is not empty. Choose a new folder for the model.")
    with tempfile.TemporaryDirectory() as place:
        paths = [path for source in sources for path in _unpacked(files.at_home(source), Path(place))]
        weights, vocabulary = _sorted(paths)
        return _convert(weights, vocabulary, out)


# Finding the two files


def _unpacked(source: Path, place: Path) -> list[Path]:
    """The file itself, or the files of weights and words that an archive holds, in `place` under plain names."""
    if not source.is_file():
        raise UserError(f"There is no file {source}.")
    if not source.name.endswith(ARCHIVES):
        return [source]
    try:
        with tarfile.open(source) as archive:
            return list(_extracted(archive, place))
    except (tarfile.TarError, zlib.error, lzma.LZMAError, EOFError, OSError) as error:
        if isinstance(error, OSError) and error.errno in files.FULL:  # where it is unpacked to
            raise UserError(files.told(error)) from None
        raise UserError(f"{source.name} cannot be unpacked: {reading.shortened(str(error))}. Fetch it again.") from None


def _extracted(archive: tarfile.TarFile, place: Path) -> Iterator[Path]:
    """Folders, links and owners in the archive mean nothing here: only the last part of a file's name is taken."""
    total = 0
    for member in archive:
        target = place / Path(member.name).name
        total += member.size  # also of what is passed over, which takes its time too
        content = archive.extractfile(member) if member.isreg() and target.suffix in PARTS else None
        if total <= MOST_BYTES and content is None:
            continue
        if total > MOST_BYTES or content is None or target.exists():
            raise UserError("The archive is larger than 8 GB, or holds two files of the same name. Unpack it yourself.")
        log = files.AppendLog(target)
        while chunk := content.read(CHUNK):
            log.write(chunk)
        log.close()
        yield target


def _sorted(paths: list[Path]) -> tuple[Path, Path]:
    """(weights, vocabulary), told apart by their first bytes."""
    weights = [path for path in paths if is_torch_file(path)]
    others = [path for path in paths if path not in weights]
    if len(weights) == len(others) == 1:
        return weights[0], others[0]
    for path in weights:
        fastai_weights.read_model(path)  # what is wrong with a file itself is told first
    names = ", ".join(path.name for path in paths) or "nothing"
    raise UserError(f"One file of weights (.pth, .h5) and one vocabulary (itos or vocab .pkl) are needed, not {names}.")


# Converting


def _convert(weights: Path, vocabulary: Path, out: Path) -> dict[str, Any]:
    # The weights do not tell: a backward model has the same shapes.
    if BACKWARD.search(weights.name) or BACKWARD.search(vocabulary.name):
        raise UserError(
            f"{weights.name} is a backward model by its name: it reads texts from their end, which is not possible "
            "here yet. Import the forward model, or rename the files if they are one."
        )
    model = fastai_weights.read_model(weights)
    found = fastai_weights.read_words(vocabulary)
    if len(found) != model.rows:
        raise UserError(
            f"{vocabulary.name} has {len(found):,} words, but {weights.name} was trained with {model.rows:,}. "
            "Choose the vocabulary that was saved with these weights."
        )
    ordered, rows = fastai_weights.ordered(found)
    sources = [_facts(path) for path in (weights, vocabulary)]
    facts = {"stage": "import", "fastai": model.version, "kind": model.kind, "sources": sources}
    vocab = new_vocabulary("word", words.to_json(ordered), RULES, {"kind": "word", "rules": RULES})
    bundle = Bundle("language_model", model.network, fastai_weights.build(model, rows), vocab, facts=facts)
    added = [special for special, row in zip(SPECIALS, rows) if row == NEW]
    bundles.save(out, bundle, _card(bundle, model, added))
    return {
        "kind": model.kind, "format": f"fastai {model.version}", "words": vocab.size, **model.network.model_dump(),
        "new_specials": added, "folder": str(out),
    }  # fmt: skip


def _facts(path: Path) -> dict[str, Any]:
    return {"name": path.name, "bytes": path.stat().st_size, "sha256": reading.sha256(path)}


def _card(bundle: Bundle, model: FastaiModel, added: list[str]) -> str:
    """What was imported from which files, and what was made up where fastai's files have nothing."""
    network = bundle.network
    notes = ["The decoder's weights are the embedding's."]
    if model.kind == "encoder":
        notes.append("The file held the encoder alone, so the decoder's bias is zero: fine-tune before it writes text.")
    elif model.version == "0.7":
        notes.append("fastai 0.7 has no bias in the decoder: it is zero.")
    if added:
        notes.append(f"The model did not know {', '.join(added)}: their rows are the mean of all rows.")
    sources = "\n".join(
        f"- {source['name']}: {source['bytes']:,} bytes, SHA-256 {source['sha256']}"
        for source in bundle.facts["sources"]
    )  # fmt: skip
    return (
        f"# Language model from fastai {model.version}\n\n"
        f"Imported by ULMFiT Studio {__version__} from\n\n{sources}\n\n"
        f"- network: AWD-LSTM, embedding {network.embedding}, hidden {network.hidden}, layers {network.layers}\n"
        f"- vocabulary: {bundle.vocab.size} words, hash {bundle.vocab.hash}, rules {bundle.vocab.rules}\n\n"
        f"{' '.join(notes)}\n"
    )
