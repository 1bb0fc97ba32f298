"""Imports every file of the public data folder and compares the counts with what its README says.

    ULMFIT_DATA=FOLDER python benchmarks/read_all.py            # prints the table
    ULMFIT_DATA=FOLDER python benchmarks/read_all.py --write    # and puts it into docs/results.md

Seconds are processor time of one process: the whole import, splits, hashes and writing included.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, NamedTuple

from page import write_between

from ulmfit_core.config import DataSettings, Recipe
from ulmfit_core.data.kinds import inspect
from ulmfit_core.project import Project
from ulmfit_core.run import launch

PAGE = Path(__file__).resolve().parent.parent / "docs" / "results.md"
FOLDER = Path(os.environ.get("ULMFIT_DATA", "../shared/data"))


class Case(NamedTuple):
    """A file, the mapping by hand, and the rows and bad rows it must give; 0 rows where the README gives no number."""

    file: str
    mapping: dict[str, Any]
    rows: int
    bad: int = 0


CASES = (
    Case("wiki.train.txt.xz", {}, 26162),
    Case("wiki.valid.txt.xz", {}, 0),
    Case("wikitext2.valid.txt", {}, 60),
    Case("imdb_train.csv.xz", {"text": ["text"], "label": "label"}, 25000),
    Case("imdb_test.csv.xz", {"text": ["text"], "label": "label"}, 25000),
    Case("imdb_unsup.csv.xz", {"text": ["text"]}, 50000),
    Case("trec/train_5500.label", {"text": ["text"], "label": "label"}, 5452),
    Case("trec/TREC_10.label", {"text": ["text"], "label": "label"}, 500),
    Case("ag_news/train_subset.csv", {"text": ["text"], "label": "class"}, 8755),
    Case("ag_news/test.csv", {"text": ["2", "3"], "label": "1"}, 7600),
    Case("ag_news/classes.txt", {}, 4),
    Case("dbpedia/train.csv", {"text": ["2"], "label": "1"}, 14000),
    Case("dbpedia/classes.txt", {}, 14),
    Case("yelp/yelp.csv", {"text": ["text"], "label": "stars"}, 10000),
    Case("sst2/glue_sst2_train.tsv", {"text": ["sentence"], "label": "label"}, 67349),
    Case("sst2/glue_sst2_dev.tsv", {"text": ["content"], "label": "label"}, 872),
    Case("emotion/emotion16k.csv", {"text": ["text"], "label": "label_name"}, 16000),
    Case("poem_sentiment/train.tsv", {"text": ["2"], "label": "3"}, 892),
    Case("poem_sentiment/dev.tsv", {"text": ["2"], "label": "3"}, 105),
    Case("poem_sentiment/test.tsv", {"text": ["2"], "label": "3"}, 104),
    Case("goemotions/train.tsv", {"text": ["1"], "label": "2"}, 43410),
    Case("goemotions/dev.tsv", {"text": ["1"], "label": "2"}, 5426),
    Case("goemotions/test.tsv", {"text": ["1"], "label": "2"}, 5427),
    Case("goemotions/labels.txt", {}, 28),
    Case("germeval2018/germeval2018.training.txt", {"text": ["1"], "label": "2"}, 5009),
    Case("germeval2018/germeval2018.test.txt", {"text": ["1"], "label": "2"}, 3532),
    Case("sms_spam/spam.tsv", {"text": ["message"], "label": "label"}, 5572),
    Case("clinc150/data_full.json", {"text": ["1"], "label": "2"}, 23700),
    Case("clinc150/domains.json", {"text": ["text"], "label": "list"}, 150),
    Case("messy/phrasebank_bom_crlf_at.txt", {"text": ["1"], "label": "2"}, 4846),
    Case("messy/airline_tweets_excel.csv", {"text": ["text"], "label": "airline_sentiment"}, 14640),
    Case("messy/womens_clothing_missing.csv", {"text": ["Review Text"], "label": "Rating"}, 22641, 845),
    Case("messy/rt_polarity_latin1.txt", {"text": ["2"], "label": "1"}, 10662),
)


def take_in(case: Case, folder: Path) -> tuple[str, dict[str, Any], float]:
    """How one file was read, the report of its import into a new project, and the processor seconds of that."""
    settings = DataSettings(data=str((FOLDER / case.file).absolute()), **case.mapping)
    project = Project.create(folder, Recipe(name=folder.name, data=settings))
    began = time.process_time()
    ended = launch(project, "import")
    seconds = time.process_time() - began
    if ended.status != "done":
        sys.exit(f"{case.file}: {ended.reason}")
    return inspect(FOLDER / case.file, settings).reader, ended.report, seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true", help="put the table into docs/results.md")
    parser.add_argument("--skip", nargs="*", default=[], help="files that are not read")
    options = parser.parse_args()
    lines = ["| file | read as | rows | bad rows | CPU seconds |", "|---|---|---|---|---|"]
    wrong = []
    for case in CASES:
        if case.file in options.skip:
            continue
        with tempfile.TemporaryDirectory() as folder:
            kind, report, seconds = take_in(case, Path(folder) / "project")
        rows, bad = report["rows"], report["bad_rows"]
        lines.append(f"| {case.file} | {kind} | {rows:,} | {bad:,} | {seconds:.2f} |")
        print(lines[-1], flush=True)
        if (case.rows and rows != case.rows) or bad != case.bad:
            wrong.append(f"{case.file}: {rows} rows and {bad} bad ones instead of {case.rows} and {case.bad}")
    if options.write:
        write_between(PAGE, "read_all", "\n".join(lines))
    if wrong:
        sys.exit("\n".join(wrong))


if __name__ == "__main__":
    main()
