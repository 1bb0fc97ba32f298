"""Where the border lies between texts that the starter suits and texts in another language: what its vocabulary makes
of public data in English and German, and of spaCy's example sentences in some fifty other languages.

    ULMFIT_DATA=FOLDER python benchmarks/language_fit.py [--model FOLDER]

It prints a table, the least fitting last: pieces a word, share of unknown tokens, and which side of the border
(`ulmfit_core/text/fit.py`) each set is on. Rows marked * are on the wrong side.
"""

from __future__ import annotations

import argparse
import csv
import importlib
import importlib.util
import lzma
import pkgutil
import random
from collections.abc import Iterator
from pathlib import Path

import spacy.lang
from study import DATA

from ulmfit_core.config import STARTER
from ulmfit_core.jobs.base import base_folder
from ulmfit_core.text.fit import fit
from ulmfit_core.text.vocab import Vocabulary

TEXTS = 500
# File, encoding, delimiter (empty: the line is the text), column of the text.
ENGLISH = {
    "IMDb": ("imdb_train.csv.xz", "utf-8", ",", 1),
    "AG News": ("ag_news/train_subset.csv", "utf-8", ",", 1),
    "emotion": ("emotion/emotion16k.csv", "utf-8", ",", 0),
    "airline tweets": ("messy/airline_tweets_excel.csv", "utf-8", ",", "text"),
    "SMS": ("sms_spam/spam.tsv", "utf-8", "\t", 1),
    "DBpedia": ("dbpedia/train.csv", "utf-8", ",", 1),
    "Yelp": ("yelp/yelp.csv", "utf-8", ",", "text"),
    "SST-2": ("sst2/glue_sst2_train.tsv", "utf-8", "\t", 1),
    "rotten tomatoes": ("messy/rt_polarity_latin1.txt", "latin-1", "", 0),
    "clothes": ("messy/womens_clothing_missing.csv", "utf-8", ",", "Review Text"),
}
GERMAN = {"GermEval": ("germeval2018/germeval2018.training.txt", "utf-8", "\t", 0)}


def texts_of(name: str, encoding: str, delimiter: str, column: int | str) -> list[str]:
    """Up to 500 texts of a file, drawn at random."""
    path = DATA / name
    unpack = lzma.open if path.suffix == ".xz" else open
    with unpack(path, "rt", encoding=encoding, newline="") as lines:
        rows = list(csv.reader(lines, delimiter=delimiter)) if delimiter else [[line] for line in lines]
    place = rows[0].index(column) if isinstance(column, str) else column
    texts = [row[place] for row in rows[1:] if len(row) > place and row[place].strip()]
    return random.Random(0).sample(texts, min(TEXTS, len(texts)))


def examples() -> Iterator[tuple[str, list[str]]]:
    """spaCy's sentences by language; of English ones there is data enough."""
    for module in pkgutil.iter_modules(spacy.lang.__path__):
        if module.name in ("en", "xx") or not module.ispkg:
            continue
        if importlib.util.find_spec(f"spacy.lang.{module.name}.examples"):
            found = importlib.import_module(f"spacy.lang.{module.name}.examples")
            yield f"spaCy {module.name}", list(found.sentences)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, default=None, help="a language model, by default the starter")
    vocabulary = Vocabulary.load(parser.parse_args().model or base_folder(STARTER))
    csv.field_size_limit(2**31 - 1)
    english = {name: texts_of(*where) for name, where in ENGLISH.items() if (DATA / where[0]).exists()}
    foreign = {name: texts_of(*where) for name, where in GERMAN.items() if (DATA / where[0]).exists()}
    found = {name: fit(vocabulary, texts) for name, texts in {**english, **foreign, **dict(examples())}.items()}
    for name, figures in sorted(found.items(), key=lambda row: row[1].pieces_per_word):
        wrong = "" if figures.is_good == (name in english) else "  *"
        print(f"{name:18} {figures.pieces_per_word:5.2f} pieces a word  {figures.unknown:6.1%} unknown{wrong}")


if __name__ == "__main__":
    main()
