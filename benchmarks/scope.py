"""How well texts of no known class are told from those that a classifier can answer: scores compared.

    python benchmarks/scope.py PROJECT --name NAME --outside FILE --choose FILE [--json]
    python benchmarks/scope.py PROJECT --name NAME --new EXAMPLES TEST
    python benchmarks/scope.py --table

PROJECT has a trained classifier (CLINC150: 15,000 training texts of 150 intents). FILE are CSVs with a column `text`:
`--outside` the out-of-scope texts that are measured on, `--choose` those by which a score may be chosen (`auroc to
choose by`; they and nothing else). Everything is fitted on training rows; thresholds, and the scale of what is summed,
come from validation rows, whose answers are held out (word counts fitted without them).

`--new`: labels that PROJECT was never trained on, with CSVs of their texts (`text`, `label`). Of each label 5 examples
are drawn 10 times; measured is how many of its test texts it then has, how many of the old labels' test texts it takes,
and the accuracy on those. Rows that exist are skipped; new ones are appended to docs/results/scope.jsonl.
"""

from __future__ import annotations

import argparse
import csv
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import study
import torch
from sklearn.metrics import average_precision_score, roc_auc_score
from study import Row
from torch import Tensor
from torch.nn import functional as F

from ulmfit_core.data.dataset import Dataset
from ulmfit_core.inference import new_class, scope
from ulmfit_core.inference.blend import fit_words
from ulmfit_core.inference.predictor import Predictor, read, softmax
from ulmfit_core.models.scope import Pairs
from ulmfit_core.models.word_counts import pooled
from ulmfit_core.project import Project

RESULTS = Path("docs/results/scope.jsonl")
TRAIN, VALID, TEST, CHOOSE, OUTSIDE = "train", "valid", "test", "choose", "outside"
PARTS = (VALID, TEST, CHOOSE, OUTSIDE)
FIGURES = ("auroc", "fpr95", "aupr", "caught_2", "caught_5", "covered_95", "auroc_choose")
RIGHT = 0.95
SHRINKAGE = 0.1  # towards a multiple of the identity
Score = Callable[[str], np.ndarray]


# What is read, once


@dataclass
class Texts:
    """One part: token ids, pooled features, the head's hidden features, scores before softmax, word counts'
    probabilities, the share of terms that the word counts know, labels (none outside)."""

    documents: list[np.ndarray]
    features: np.ndarray
    hidden: np.ndarray
    scores: np.ndarray
    words: np.ndarray
    terms: np.ndarray
    labels: np.ndarray


@dataclass
class Data:
    """All parts by name, and the exponents of the network and of word counts in the answers."""

    parts: dict[str, Texts]
    exponents: Any

    def answers(self, name: str) -> np.ndarray:
        part = self.parts[name]
        return pooled(softmax(part.scores), part.words, self.exponents)


def gather(project: Project, outside: Path, choose: Path) -> Data:
    dataset, predictor = Dataset.open(project.dataset_folder), Predictor.load(project.bundle_folder("classify"))
    assert predictor.pool and predictor.pool.words, "this comparison is for answers that word counts are blended into"
    train = dataset.labelled_rows(TRAIN)
    without = fit_words(dataset.texts(train), dataset.label_ids[train], len(dataset.labels))
    parts = {}
    for name in (TRAIN, VALID, TEST, CHOOSE, OUTSIDE):
        rows = dataset.labelled_rows(name) if name in (TRAIN, VALID, TEST) else np.empty(0, int)
        texts = texts_of(outside if name == OUTSIDE else choose) if not len(rows) else dataset.texts(rows)
        words = without if name in (TRAIN, VALID) else predictor.pool.words
        parts[name] = read_part(predictor, words, texts, dataset.label_ids[rows])
    return Data(parts, predictor.pool.exponents)


def texts_of(path: Path) -> list[str]:
    with path.open(newline="", encoding="utf-8") as file:
        return [row["text"] for row in csv.DictReader(file)]


def read_part(predictor: Predictor, words: Any, texts: list[str], labels: np.ndarray) -> Texts:
    documents, head = predictor.documents(texts), predictor.model.head
    features, scores = read(predictor.model, documents, 64)
    with torch.inference_mode():
        hidden = head.norm2(head.linear1(head.norm1(torch.from_numpy(features))).relu()).numpy()
    known, terms_of = set(words.terms), words._vectorizer.build_analyzer()
    terms = np.array([np.mean([term in known for term in terms_of(text)] or [0.0]) for text in texts])
    return Texts(documents, features, hidden, scores, words.probabilities(texts), terms, labels)


# The scores: higher is more familiar


def all_scores(data: Data) -> dict[str, dict[str, np.ndarray]]:
    """(texts,) of each part, by score."""
    parts = data.parts
    single: dict[str, Score] = {
        "probability of the answer": lambda name: data.answers(name).max(1),
        "entropy of the answer": lambda name: -entropy(data.answers(name)),
        "probability of the network": lambda name: softmax(parts[name].scores).max(1),
        "largest logit": lambda name: parts[name].scores.max(1),
        "energy": lambda name: torch.from_numpy(parts[name].scores).logsumexp(1).numpy(),
        "known terms": lambda name: parts[name].terms,
        "known token pairs": known_pairs(parts),
    }
    for layer in ("features", "hidden"):
        single |= by_distance(parts, layer)
        single[f"one versus rest, {layer}"] = one_versus_rest(parts, layer)
    found = {title: {name: score(name) for name in PARTS} for title, score in single.items()}
    for titles in SUMS:
        found[" + ".join(titles)] = summed([found[title] for title in titles])
    return found


WHITE = "centroid, cosine, whitened, features"
BOTH = ("largest logit", "entropy of the answer")
SUMS = [
    ("energy", "mahalanobis, features"), ("energy", WHITE), BOTH, (*BOTH, WHITE), (*BOTH, "known terms"),
    (*BOTH, "known token pairs"), (*BOTH, WHITE, "known token pairs"), ("largest logit", "known token pairs"),
    ("entropy of the answer", "known token pairs"), ("entropy of the answer", "one versus rest, features"),
]  # fmt: skip


def summed(each: list[dict[str, np.ndarray]]) -> dict[str, np.ndarray]:
    """Sum of the scores, each in deviations from its mean over the validation rows."""
    return {name: sum((one[name] - one[VALID].mean()) / one[VALID].std() for one in each) for name in PARTS}


def entropy(shares: np.ndarray) -> np.ndarray:
    return -(shares * np.log(np.maximum(shares, 1e-12))).sum(1)


def known_pairs(parts: dict[str, Texts]) -> Score:
    documents = parts[TRAIN].documents
    pairs = Pairs.of(documents, sum(map(len, documents)))
    return lambda name: np.array([pairs.known(document) for document in parts[name].documents])


def by_distance(parts: dict[str, Texts], layer: str) -> dict[str, Score]:
    """Mahalanobis (Lee 2018), relative Mahalanobis (Ren 2021), nearest centroid, nearest training rows (Sun 2022).

    Covariances are shared by all classes and shrunk.
    """
    train, labels = of_layer(parts[TRAIN], layer), parts[TRAIN].labels
    centroids = np.stack([train[labels == label].mean(0) for label in range(labels.max() + 1)])
    mean = train.mean(0)
    white, of_all = whitening(train - centroids[labels]), whitening(train - mean)

    def squared(name: str) -> np.ndarray:
        rows, centres = of_layer(parts[name], layer) @ white, centroids @ white
        return ((rows**2).sum(1)[:, None] - 2 * rows @ centres.T + (centres**2).sum(1)).min(1)

    def relative(name: str) -> np.ndarray:
        return (((of_layer(parts[name], layer) - mean) @ of_all) ** 2).sum(1) - squared(name)

    def cosine(name: str, way: np.ndarray | None = None) -> np.ndarray:
        rows, centres = of_layer(parts[name], layer) - mean, centroids - mean
        rows, centres = (rows, centres) if way is None else (rows @ way, centres @ way)
        return (unit(rows) @ unit(centres).T).max(1)

    def nearest(name: str, count: int) -> np.ndarray:
        known, rows = unit(train - mean), unit(of_layer(parts[name], layer) - mean)
        chunks = np.array_split(rows, max(1, len(rows) // 500))
        return np.concatenate([np.partition(chunk @ known.T, -count, axis=1)[:, -count] for chunk in chunks])

    return {
        f"mahalanobis, {layer}": lambda name: -squared(name),
        f"relative mahalanobis, {layer}": relative,
        f"centroid, cosine, {layer}": cosine,
        f"centroid, cosine, whitened, {layer}": lambda name: cosine(name, white),
        f"nearest training row, {layer}": lambda name: nearest(name, 1),
        f"10th nearest training row, {layer}": lambda name: nearest(name, 10),
    }


def of_layer(part: Texts, layer: str) -> np.ndarray:
    return getattr(part, layer).astype(np.float64)


def unit(rows: np.ndarray) -> np.ndarray:
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def whitening(residuals: np.ndarray) -> np.ndarray:
    """L with L Lᵀ the inverse of the residuals' shrunk covariance."""
    covariance, size = residuals.T @ residuals / len(residuals), residuals.shape[1]
    shrunk = (1 - SHRINKAGE) * covariance + SHRINKAGE * np.trace(covariance) / size * np.eye(size)
    return np.linalg.cholesky(np.linalg.inv(shrunk))


def one_versus_rest(parts: dict[str, Texts], layer: str) -> Score:
    """The largest logit of one sigmoid a class: a linear layer on frozen, standardised features, trained with binary
    cross-entropy and L2 (0.001) by L-BFGS until it hardly falls."""
    train = torch.from_numpy(of_layer(parts[TRAIN], layer)).float()
    mean, spread = train.mean(0), train.std(0) + 1e-6
    inputs, truth = (train - mean) / spread, F.one_hot(torch.from_numpy(parts[TRAIN].labels).long()).float()
    weight, bias = torch.zeros(truth.shape[1], train.shape[1]), torch.full((truth.shape[1],), -5.0)
    optimizer = torch.optim.LBFGS(
        [weight.requires_grad_(), bias.requires_grad_()], max_iter=60, line_search_fn="strong_wolfe"
    )

    def loss() -> Tensor:
        optimizer.zero_grad()
        found = F.binary_cross_entropy_with_logits(inputs @ weight.T + bias, truth, reduction="sum") / len(truth)
        (found + 1e-3 * (weight**2).sum()).backward()
        return (found + 1e-3 * (weight**2).sum()).detach()

    optimizer.step(loss)

    @torch.no_grad()
    def score(name: str) -> np.ndarray:
        rows = (torch.from_numpy(of_layer(parts[name], layer)).float() - mean) / spread
        return (rows @ weight.T + bias).amax(1).numpy()

    return score


# The figures


def figures(score: dict[str, np.ndarray], right: np.ndarray) -> dict[str, float]:
    """`caught_2`, `caught_5`: share of outside texts below the threshold that gives up so many of a hundred validation
    rows, `lost_2`, `lost_5` share of test rows below it, and `lost_right_…` those of them that are answered right;
    `covered_95`: the largest share of all texts that can be answered, 95 % of them right, an answer to an outside text
    being wrong."""
    inside, outside = score[TEST], score[OUTSIDE]
    told = {
        "auroc": area(inside, outside), "auroc_choose": area(score[VALID], score[CHOOSE]),
        "fpr95": float((outside >= np.quantile(inside, 0.05)).mean()),
        "aupr": float(average_precision_score(*against(inside, outside))),
        "covered_95": covered(inside, outside, right),
    }  # fmt: skip
    for share in (2, 5):
        least = np.quantile(score[VALID], share / 100)
        told[f"caught_{share}"] = float((outside < least).mean())
        told[f"lost_{share}"] = float((inside < least).mean())
        told[f"lost_right_{share}"] = float(((inside < least) & right).mean())
    return told


def against(inside: np.ndarray, outside: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Which are outside, and how unfamiliar they are."""
    return np.r_[np.zeros(len(inside)), np.ones(len(outside))], -np.r_[inside, outside]


def area(inside: np.ndarray, outside: np.ndarray) -> float:
    return float(roc_auc_score(*against(inside, outside)))


def covered(inside: np.ndarray, outside: np.ndarray, right: np.ndarray) -> float:
    order = np.argsort(-np.r_[inside, outside], kind="stable")
    share = np.cumsum(np.r_[right, np.zeros(len(outside), bool)][order]) / np.arange(1, len(order) + 1)
    enough = np.flatnonzero(share >= RIGHT)
    return float((enough[-1] + 1) / len(order)) if len(enough) else 0.0


def as_built(data: Data, right: np.ndarray) -> dict[str, float]:
    """What the program itself does with these rows: the same figures of `familiar`."""
    train, valid = data.parts[TRAIN], data.parts[VALID]
    tokens = sum(map(len, train.documents))
    made = scope.fit(train.documents, tokens, valid.documents, valid.scores, data.answers(VALID))
    assert made
    found = {n: made.familiar(data.parts[n].documents, data.parts[n].scores, data.answers(n)) for n in PARTS}
    return {
        **figures(found, right),
        **{f"called_{s}": float((found[OUTSIDE] < s / 100).mean()) for s in (2, 5)},
        **{f"called_inside_{s}": float((found[TEST] < s / 100).mean()) for s in (2, 5)},
    }


def measure(project: Project, name: str, outside: Path, choose: Path) -> None:
    data = gather(project, outside, choose)
    right = data.answers(TEST).argmax(1) == data.parts[TEST].labels
    found = {title: figures(score, right) for title, score in all_scores(data).items()}
    found["as built"] = as_built(data, right)
    for title, told in found.items():
        row: Row = {"data": name, "score": title}
        if not study.finished(RESULTS, row):
            study.append(RESULTS, {**row, "accuracy": float(right.mean()), **told})


# A label from five examples


DRAWS = 10


def measure_new(project: Project, name: str, examples: Path, test: Path) -> None:
    dataset, predictor = Dataset.open(project.dataset_folder), Predictor.load(project.bundle_folder("classify"))
    rows, others = dataset.labelled_rows(TEST), new_class.compared_rows(dataset)
    mine, theirs = labelled(examples), labelled(test)
    cut = [variant for text in others for variant in new_class.variants(text)]
    known = Known(predictor, [*dataset.texts(rows), *others, *cut, *sum(mine.values(), []), *sum(theirs.values(), [])])
    truth = dataset.label_ids[rows]
    draws = [one_draw(known, mine, theirs, label, seed, others, dataset.texts(rows), truth)
             for label in mine for seed in range(DRAWS)]  # fmt: skip
    before = float((known(dataset.texts(rows))[1].argmax(1) == truth).mean())
    told = {key: float(np.mean([draw[key] for draw in draws])) for key in draws[0]}
    row: Row = {"data": name, "new_label_from": new_class.EXAMPLES, "form_directions": new_class.FORM_DIRECTIONS}
    if not study.finished(RESULTS, row):
        study.append(RESULTS, {**row, "labels": len(mine), "draws": DRAWS, "accuracy_before": before, **told})


class Known:
    """Features and answers of texts that are read once."""

    def __init__(self, predictor: Predictor, texts: list[str]):
        self._features = predictor.features(texts)
        scores = predictor.model.head(torch.from_numpy(self._features), None).detach().numpy()
        self._answers = predictor.pooled(softmax(scores), texts)
        self._places = {text: place for place, text in enumerate(texts)}

    def __call__(self, texts: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
        places = [self._places[text] for text in texts]
        return self._features[places], self._answers[places]


def one_draw(
    known: Known, mine: dict[str, list[str]], theirs: dict[str, list[str]], label: str, seed: int,
    others: list[str], texts: list[str], truth: np.ndarray,
) -> dict[str, float]:  # fmt: skip
    drawn = np.random.default_rng(seed).permutation(mine[label])[: new_class.EXAMPLES]
    made = new_class.learn({label: [str(text) for text in drawn]}, others, known)
    features, old = known(theirs[label])
    found = made.joined(old, features).argmax(1) == old.shape[1]
    features, old = known(texts)
    answers = made.joined(old, features).argmax(1)
    return {
        "found": float(found.mean()), "taken": float((answers == old.shape[1]).mean()),
        "accuracy_after": float((answers == truth).mean()),
    }  # fmt: skip


def labelled(path: Path) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    with path.open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            found.setdefault(row["label"], []).append(row["text"])
    return found


# Words


def table(rows: list[Row]) -> str:
    lines = [
        "| score | AUROC | FPR at 95 % TPR | AUPR | caught at 2 % | at 5 % | answered at 95 % right |",
        "|---|" + "---|" * 6,
    ]
    for row in (row for row in rows if "auroc" in row):
        cells = [f"{row[name]:.3f}" for name in FIGURES[:-1]]
        lines.append(f"| {row['score']} | {' | '.join(cells)} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("project", type=Path, nargs="?")
    parser.add_argument("--name", default="clinc150")
    parser.add_argument("--outside", type=Path)
    parser.add_argument("--choose", type=Path)
    parser.add_argument("--new", type=Path, nargs=2)
    parser.add_argument("--table", action="store_true")
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    if asked.new:
        measure_new(Project.open(asked.project), asked.name, *asked.new)
    elif asked.project:
        measure(Project.open(asked.project), asked.name, asked.outside, asked.choose)
    rows = study.rows_of(RESULTS)
    print(json.dumps(rows) if asked.json else table(rows))


if __name__ == "__main__":
    main()
