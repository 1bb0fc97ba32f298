"""Check the sample data in resources/sample: its counts, its balance and that no test verse leaks.

Run it as ``python scripts/check_sample.py [FOLDER]``. It prints one summary line; if something is
wrong, it also prints each problem (near-duplicates as pairs of texts) and exits with status 1.
"""

import csv
import sys
from collections import Counter
from pathlib import Path

FOLDER = Path(__file__).resolve().parent.parent / "resources" / "sample"
LABELS = ("happy", "sad")
TEST_PER_LABEL = 40
LIMIT = 0.3  # two texts whose word trigrams overlap this much (Jaccard) count as near-duplicates
MIN_VERSES, MIN_LINES, MIN_CORPUS = 440, 650, 500
VERSE_WORDS, CORPUS_WORDS = (6, 30), (10, 35)


def read_verses(folder: Path = FOLDER) -> list[dict[str, str]]:
    """Return the rows of verses.csv, each with text, label and split."""
    with open(folder / "verses.csv", encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def read_lines(path: Path) -> list[str]:
    """Return the lines of a UTF-8 text file, without their line ends."""
    return path.read_text(encoding="utf-8").splitlines()


def words(text: str) -> list[str]:
    """Return the words of a text, in lower case and without punctuation."""
    kept = "".join(c if c.isalnum() or c.isspace() or c == "-" else "" for c in text.lower())
    return kept.replace("-", " ").split()


def trigrams(text: str) -> set[tuple[str, ...]]:
    """Return the set of three-word runs of a text (the whole text, where it is shorter)."""
    tokens = words(text)
    return {tuple(tokens[i : i + 3]) for i in range(max(1, len(tokens) - 2))}


def jaccard(a: set, b: set) -> float:
    """Return the share of two sets' elements that both have."""
    return len(a & b) / len(a | b) if a or b else 1.0


def near_duplicates(a: list[str], b: list[str], limit: float = LIMIT) -> list[tuple[str, str, float]]:
    """Return the pairs (one text of a, one of b) that are equal or overlap by limit or more."""
    left = [(text, trigrams(text)) for text in a]
    right = [(text, trigrams(text)) for text in b]
    pairs = ((x, y, jaccard(gx, gy)) for x, gx in left for y, gy in right)
    return [(x, y, score) for x, y, score in pairs if score >= limit or words(x) == words(y)]


def repeated(texts: list[str]) -> list[str]:
    """Return a problem for each text that occurs more than once, but for case and punctuation."""
    counts = Counter(" ".join(words(text)) for text in texts)
    return [f"occurs {n} times: {text}" for text, n in counts.items() if n > 1]


def wrong_lengths(texts: list[str], bounds: tuple[int, int]) -> list[str]:
    """Return a problem for each text whose number of words lies outside the bounds."""
    low, high = bounds
    return [f"not {low} to {high} words: {t!r}" for t in texts if not low <= len(words(t)) <= high]


def too_few(name: str, found: int, wanted: int) -> list[str]:
    """Return a problem if a file has fewer entries than it should."""
    return [f"{name}: {found} entries, at least {wanted} wanted"] if found < wanted else []


def wrong_balance(rows: list[dict[str, str]]) -> list[str]:
    """Return the problems with the labels and the splits of the verses."""
    counts = Counter((row["label"], row["split"]) for row in rows)
    known = {(label, split) for label in LABELS for split in ("train", "test")}
    problems = [f"unknown label or split: {pair}" for pair in counts if pair not in known]
    if any(counts[label, "test"] != TEST_PER_LABEL for label in LABELS):
        problems.append(f"not {TEST_PER_LABEL} test verses of each label: {dict(counts)}")
    if len({counts[label, "train"] for label in LABELS}) != 1:
        problems.append(f"train labels are not balanced: {dict(counts)}")
    return problems


def leaks(name: str, texts: list[str], test: list[str]) -> list[str]:
    """Return a problem for each text that is too near to a test verse."""
    found = near_duplicates(texts, test)
    return [f"{name} is near a test verse ({score:.2f}): {x!r} | {y!r}" for x, y, score in found]


def split_texts(rows: list[dict[str, str]], split: str) -> list[str]:
    """Return the texts of one split."""
    return [row["text"] for row in rows if row["split"] == split]


def check_verses(rows: list[dict[str, str]]) -> list[str]:
    """Return the problems within verses.csv."""
    texts = [row["text"] for row in rows]
    problems = too_few("verses.csv", len(rows), MIN_VERSES) + wrong_balance(rows)
    problems += repeated(texts) + wrong_lengths(texts, VERSE_WORDS)
    return problems + leaks("train verse", split_texts(rows, "train"), split_texts(rows, "test"))


def check_unlabelled(lines: list[str], corpus: list[str], test: list[str]) -> list[str]:
    """Return the problems within lines.txt and corpus.txt, and of both with the test verses."""
    problems = too_few("lines.txt", len(lines), MIN_LINES)
    problems += too_few("corpus.txt", len(corpus), MIN_CORPUS)
    problems += repeated(lines) + repeated(corpus) + wrong_lengths(corpus, CORPUS_WORDS)
    return problems + leaks("lines.txt", lines, test) + leaks("corpus.txt", corpus, test)


def main(folder: Path = FOLDER) -> int:
    """Check the whole folder, print the result, and return the exit status."""
    rows = read_verses(folder)
    lines, corpus = read_lines(folder / "lines.txt"), read_lines(folder / "corpus.txt")
    test = split_texts(rows, "test")
    problems = check_verses(rows) + check_unlabelled(lines, corpus, test)
    counts = f"{len(rows)} verses ({len(test)} test), {len(lines)} lines, {len(corpus)} corpus lines"
    print(f"sample: {counts}, {len(problems)} problem(s)")
    print("\n".join(problems), end="\n" if problems else "")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main(*map(Path, sys.argv[1:2])))
