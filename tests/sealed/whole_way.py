"""The sample from its import to its answers in files, on the command line, with few of its texts and one pass of each.

Run it as ``python -P whole_way.py FOLDER``: the project comes to FOLDER/project, what leaves it to FOLDER/out.
"""

from __future__ import annotations

import sys
from pathlib import Path

from ulmfit_core import sample
from ulmfit_core.__main__ import main

EVERY = 20  # one message of so many is kept
TEXT = "The water is running down the wall."


def small_sample(folder: Path) -> None:
    """The project that `ulmfit sample` would make, with fewer texts and passes. It opens what lies there already."""
    project = sample.open_or_make(folder)
    project.recipe.finetune.epochs = project.recipe.classify.epochs = 1
    project.recipe.classify.unfreezing = "all"
    project.recipe.insight.forgetting = False  # reads more than all the rest
    project.save()
    for name in ("messages.csv", "unlabelled.txt"):
        path = folder / "data" / name
        head, *lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
        path.write_text(head + "".join(lines[::EVERY]), encoding="utf-8")


def ulmfit(*words: object) -> None:
    """The command line, in this process, which has torch loaded."""
    sys.argv = ["ulmfit", *map(str, words)]
    try:
        main()
    except SystemExit as left:
        if left.code:
            raise


def go(folder: Path) -> None:
    project, out = folder / "project", folder / "out"
    messages = project / "data" / "messages.csv"
    out.mkdir()
    small_sample(project)
    ulmfit("sample", project)
    ulmfit("evaluate", project, "--csv", out / "evaluation.csv", "--html", out / "evaluation.html")
    ulmfit("predict", project, "--data", messages, "--out", out / "answers.parquet")
    ulmfit("predict", project, TEXT)
    ulmfit("generate", project, "The water", "--words", 5)
    ulmfit("data", project, "--bad-rows", out / "left-out.csv")
    # From scratch, so that a vocabulary is learned, which is the work of a child process.
    columns = ("--text", "text", "--label", "urgency")
    ulmfit("new", out / "scratch", "--data", messages, *columns, "--base", "none", "--set", "vocab.size=150")
    ulmfit("run", out / "scratch", "vocab")


if __name__ == "__main__":
    go(Path(sys.argv[1]))
