"""Training texts that a classifier takes for most like a text: by the cosine of what its head reads of both.

What is read of the training texts is kept in the project's `cache/`, which may be deleted at any time.
"""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import safetensors
import safetensors.numpy

from ulmfit_core import files, reading
from ulmfit_core.data.dataset import Dataset
from ulmfit_core.errors import UserError
from ulmfit_core.inference.new_class import of_unit_length
from ulmfit_core.inference.predictor import Predictor
from ulmfit_core.project import Project

# Rows that are compared, drawn by SEED where there are more.
MOST, SEED = 20_000, 0
MOST_BYTES = 1024 * 2**20  # of kept features
# Rows that are read before what was read of them is taken down.
PART = 1_000
CACHE = "cache"
# Files that are kept of other classifiers of the project.
KEPT = 3


@dataclass(frozen=True)
class Neighbour:
    """A labelled training row; `similarity` is 1 for the same text, about 0 for one that has nothing to do with it."""

    row: int
    text: str
    label: str
    similarity: float


class Neighbours:
    """The training texts as one classifier reads them."""

    def __init__(self, predictor: Predictor, dataset: Dataset, rows: np.ndarray, features: np.ndarray):
        """`features` (rows, 3 × features) of these row numbers of the dataset, as the predictor gives them."""
        self._predictor = predictor
        self._dataset = dataset
        self._rows = rows
        # Any two texts are alike in what all texts share: without it the figures say something.
        self._centre = features.mean(0, dtype=np.float64).astype(np.float32)
        self._directions = of_unit_length(features.astype(np.float32) - self._centre)

    @classmethod
    def of(cls, project: Project, predictor: Predictor, between: Callable[[], object] = bool) -> Neighbours:
        """Of a project's labelled training rows, as the predictor reads them, or has read them before.

        `between` is called before each chunk of text is read. Raises UserError where no row is labelled.
        """
        dataset = Dataset.open(project.dataset_folder)
        rows = dataset.labelled_rows("train")
        if not len(rows):
            raise UserError("No training text has a label, so there is none to compare with. Import labelled texts.")
        if len(rows) > MOST:
            rows = np.sort(np.random.default_rng(SEED).permutation(rows)[:MOST])
        texts = dataset.texts(rows)
        key = _key(predictor, texts)
        path = project.folder / CACHE / f"features-{key}.safetensors"
        features = _kept(path, key, len(rows))
        if features is None:
            features = _read(predictor, texts, between)
            if not project.read_only:
                _keep(path, key, features)
        return cls(predictor, dataset, rows, features)

    def nearest(self, text: str, count: int = 5) -> list[Neighbour]:
        """The `count` training texts that are most alike, the nearest first."""
        direction = of_unit_length(self._predictor.features([text]) - self._centre)[0]
        similar = self._directions @ direction
        best = np.argsort(-similar, kind="stable")[:count]
        rows = self._rows[best]
        labels = [self._dataset.labels[number] for number in self._dataset.label_ids[rows]]
        told = zip(rows.tolist(), self._dataset.texts(rows), labels, similar[best].tolist(), strict=True)
        return [Neighbour(*each) for each in told]


def _read(predictor: Predictor, texts: Sequence[str], between: Callable[[], object]) -> np.ndarray:
    """(texts, 3 × features) float16."""
    starts = range(0, len(texts), PART)
    parts = [predictor.features(texts[start : start + PART], between).astype(np.float16) for start in starts]
    return np.concatenate(parts)


# What is kept on disk


def _key(predictor: Predictor, texts: Sequence[str]) -> str:
    """Changes with the weights, with how texts are read, and with the texts."""
    model = predictor.model
    digest = hashlib.sha256(f"{predictor.vocab.hash} {model.bptt} {model.max_length}".encode())
    for name, value in sorted(model.state_dict().items()):
        digest.update(name.encode() + value.detach().cpu().contiguous().numpy().tobytes())
    digest.update(len(predictor.documents([max(texts, key=len)])[0]).to_bytes(8, "little"))  # where texts are cut
    for text in texts:
        digest.update(hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest())
    return digest.hexdigest()[:16]


def _kept(path: Path, key: str, rows: int) -> np.ndarray | None:
    """The features of a file that is whole and of this key; None: they have to be read anew."""
    try:
        content = reading.content(path, MOST_BYTES)
        with safetensors.safe_open(path, "numpy") as file:
            told = file.metadata() or {}
        features = safetensors.numpy.load(content)["features"]
    except (UserError, OSError, ValueError, KeyError, safetensors.SafetensorError):
        return None  # it is only a copy: what it held can be read again
    whole = told.get("key") == key and told.get("sum") == _sum(features)
    return features if whole and features.dtype == np.float16 and len(features) == rows else None


def _keep(path: Path, key: str, features: np.ndarray) -> None:
    """Beside those of a few other classifiers; where there is no room, they are read again the next time."""
    told = {"key": key, "sum": _sum(features)}
    with contextlib.suppress(OSError):
        files.write_bytes(path, safetensors.numpy.save({"features": features}, told))
        others = sorted(path.parent.glob("features-*.safetensors"), key=lambda other: -other.stat().st_mtime_ns)
        for old in [other for other in others if other != path][KEPT:]:
            old.unlink()


def _sum(features: np.ndarray) -> str:
    return hashlib.sha256(features.tobytes()).hexdigest()
