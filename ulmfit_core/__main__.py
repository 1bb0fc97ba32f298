"""The `ulmfit` command line: every step from files to answers, without a window.

Exit status: 0 done, 1 failed with a one-line reason, 2 bad usage, 130 stopped. With `--json` standard output
holds exactly one JSON value; everything else goes to standard error.
"""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from ulmfit_core import config, faults, files, presets, sample, storage, terminal
from ulmfit_core.config import SCRATCH, STARTER, Recipe
from ulmfit_core.errors import UserError
from ulmfit_core.events import Ended
from ulmfit_core.inference import file_summary
from ulmfit_core.jobs.base import BASE_OF_NEW, base_folder, starter_misfit
from ulmfit_core.project import TITLES, Project, RunInfo

app = typer.Typer(
    name="ulmfit",
    help="Train ULMFiT text classifiers. The window does the same: ulmfit-studio.",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    add_completion=False,
)
TRAINING = ("pretrain", "finetune", "classify")
STEPS = ("vocab", *TRAINING, "all")

Folder = Annotated[Path, typer.Argument(metavar="DIR", help="The project's folder.", show_default=False)]
ABOUT_PRESETS = [f"{name}: {preset.meaning} {preset.vocabulary}" for name, preset in presets.PRESETS.items()]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON value to standard output.")]


def main() -> None:
    """Entry point of `ulmfit`. Of the processes that torchrun starts the first runs it, the others train with it."""
    try:
        if int(os.environ.get("WORLD_SIZE", "1")) > 1:
            from ulmfit_core.jobs.together import lead_or_follow

            lead_or_follow(lambda: app(prog_name="ulmfit"))
        else:
            app(prog_name="ulmfit")
    except (UserError, OSError) as error:
        sentence = files.told(error) if isinstance(error, OSError) else str(error)
        print(" ".join(sentence.split()), file=sys.stderr)
        sys.exit(1)


# A new project


@app.command(epilog="\n\n".join(["The presets:", *ABOUT_PRESETS]))
def new(
    folder: Folder,
    data: Annotated[Path, typer.Option(help="File or folder with the texts.")],
    text: Annotated[list[str] | None, typer.Option(help="Text column, by name or number; may be repeated.")] = None,
    label: Annotated[str, typer.Option(help="Label column, by name or number; none where no row is labelled.")] = "",
    test: Annotated[Path | None, typer.Option(help="A separate file of test rows.")] = None,
    unlabelled: Annotated[Path | None, typer.Option(help="Texts without labels for the language model.")] = None,
    corpus: Annotated[Path | None, typer.Option(help="General text for pretraining.")] = None,
    base: Annotated[
        str, typer.Option(help="Pretrained model: starter (English), none, or the folder of a bundle.")
    ] = BASE_OF_NEW,
    preset: Annotated[str, typer.Option(help=f"Settings to begin with: {', '.join(presets.PRESETS)}.")] = "balanced",
    settings: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="One setting, for example classify.epochs=2.")
    ] = None,
) -> None:
    """Create a project in DIR and import its data."""
    recipe = _recipe(preset, settings or [])
    recipe.base = base if base in (SCRATCH, STARTER) else str(files.at_home(base).absolute())
    for role, path in {"data": data, "test": test, "unlabelled": unlabelled, "corpus": corpus}.items():
        if path is not None:
            config.set_value(recipe, f"data.{role}", str(files.at_home(path).absolute()))
    recipe.data.text = list(text) if text else recipe.data.text
    recipe.data.label = label or recipe.data.label
    if base != SCRATCH:
        base_folder(recipe.base)
    existed = folder.exists()
    project = Project.create(folder, recipe)
    created = False
    try:
        ended = _finished(terminal.work(project, "import"))
        created = True
    finally:
        if not created:
            _take_back(project.folder, existed)
    _say(f"Created {project.folder}: {terminal.rows_line(ended.report)}.")
    _say_beginning(project)
    _say(f"Go on with: ulmfit run {folder}")


def _say_beginning(project: Project) -> None:
    """What the project begins with, where it was not asked for from scratch."""
    if project.recipe.base == STARTER:
        unread = " The general text is not read." if project.recipe.data.corpus else ""
        _say(f"It begins with the English starter, whose size and vocabulary it has (else: --base none).{unread}")
        _say_misfit(project)


def _say_misfit(project: Project) -> None:
    misfit = starter_misfit(project)
    if misfit:
        _say(f'{misfit} Better begin from scratch: set base = "none" in {project.folder / "project.toml"}.')


def _recipe(preset: str, settings: list[str]) -> Recipe:
    """The preset with single settings changed. Unknown names and values out of range are bad usage."""
    try:
        recipe = presets.apply_preset(Recipe(), preset)
        for setting in settings:
            _set(recipe, setting)
    except UserError as error:
        raise typer.BadParameter(str(error)) from None
    return recipe


def _set(recipe: Recipe, setting: str) -> None:
    key, equals, value = setting.partition("=")
    if not equals:
        raise UserError(f"--set needs KEY=VALUE, for example classify.epochs=2, not “{setting}”.")
    try:
        config.set_value(recipe, key, config.parse_value(value))
    except UserError:
        config.set_value(recipe, key, value)  # a column named 1 is text, though it reads as a number


def _take_back(folder: Path, existed: bool) -> None:
    """Leave no half-made project behind."""
    shutil.rmtree(folder)
    if existed:
        folder.mkdir()


@app.command(name="import-fastai")
def import_language_model(
    sources: Annotated[
        list[Path],
        typer.Argument(metavar="FILE...", help="Weights (.pth, .h5) and vocabulary (.pkl), or a .tgz of both."),
    ],
    out: Annotated[Path, typer.Option(help="A new folder for the model, to be named with --base.")],
    as_json: Json = False,
) -> None:
    """Import a language model or encoder of fastai 2, 1 or 0.7. Nothing in the files is executed."""
    from ulmfit_core.jobs.import_fastai import import_fastai

    report = import_fastai(sources, out)
    if as_json:
        _print_json(report)
        return
    kind = "an encoder" if report["kind"] == "encoder" else "a language model"
    print(f"Imported {kind} of {report['format']} with {report['words']:,} words.")
    print(f"Start a project from it with: ulmfit new DIR --data FILE --base {report['folder']}")


# Running


@app.command()
def run(
    folder: Folder,
    step: Annotated[str, typer.Argument(metavar=f"[{'|'.join(STEPS)}]", help="The step to run.")] = "all",
    resume: Annotated[bool, typer.Option("--resume", help="Go on from the checkpoint of an unfinished run.")] = False,
) -> None:
    """Train: one step, or all that is not done yet. Ctrl-C stops with a checkpoint."""
    if step not in STEPS:
        raise typer.BadParameter(f"There is no step “{step}”. Choose one of: {', '.join(STEPS)}.")
    project = Project.open(folder)
    if step == "all":
        _run_all(project, resume)
    else:
        _run_one(project, step, resume)


def _run_all(project: Project, resume: bool) -> None:
    for step in ("import", "vocab", *TRAINING):
        state = project.state(step)
        if state.mark in ("done", "skipped"):
            _say(f"{TITLES[step]}: {state.reason or 'done already.'}")
        else:
            _work(project, step, resume)


def _run_one(project: Project, step: str, resume: bool) -> None:
    skipped = project.skip_reason(step)
    if skipped:
        raise UserError(f"{TITLES[step]} is not part of this project: {skipped[0].lower()}{skipped[1:]}")
    for earlier in ("import", "vocab")[: 1 if step == "vocab" else 2]:
        if project.state(earlier).mark != "done":
            _work(project, earlier, False)
    waiting = project.waits_for(step)
    if waiting:
        raise UserError(f"{TITLES[step]} cannot start yet. {waiting} Run: ulmfit run {project.folder} all")
    _work(project, step, resume)


def _work(project: Project, step: str, resume: bool) -> Ended:
    unfinished = project.resumable_run(step)
    if unfinished and resume:
        return _finished(terminal.work(project, step, resume=unfinished.folder), project)
    if unfinished:
        _say(f"{TITLES[step]} starts anew; with --resume it would go on from {unfinished.id}.")
    ended = _finished(terminal.work(project, step), project)
    if step == "import":
        _say_misfit(project)
    return ended


def _finished(ended: Ended, project: Project | None = None) -> Ended:
    """The end of a run as an exit status: a failure's reason is raised, a stop is 130."""
    go_on = f" Go on with: ulmfit run {project.folder} --resume" if project else ""
    if ended.status == "failed":
        raise UserError(ended.reason + (go_on if faults.GOES_ON in ended.reason else ""))
    if ended.status == "stopped":
        _say(ended.reason + go_on)
        raise typer.Exit(130)
    return ended


@app.command(name="find-lr")
def find_lr(
    folder: Folder,
    stage: Annotated[str, typer.Argument(metavar=f"[{'|'.join(TRAINING)}]", help="The stage to find a rate for.")],
    groups: Annotated[int, typer.Option(min=0, max=32, help="Layer groups that learn, from the output; 0: all.")] = 1,
    steps: Annotated[int, typer.Option(min=20, max=10_000, help="Steps from the lowest to the highest rate.")] = 100,
    as_json: Json = False,
) -> None:
    """Find a learning rate: a short training at a growing rate, undone afterwards."""
    if stage not in TRAINING:
        raise typer.BadParameter(f"There is no training stage “{stage}”. Choose one of: {', '.join(TRAINING)}.")
    project = Project.open(folder)
    report = _finished(terminal.work(project, "find_lr", stage=stage, groups=groups, steps=steps)).report
    if as_json:
        _print_json(report)
        return
    for line in terminal.rate_lines(report, project):
        print(line)


@app.command(name="sample")
def run_sample(
    folder: Annotated[Path | None, typer.Argument(metavar="[DIR]", help="Where the project lies or shall lie.")] = None,
    name: Annotated[
        str, typer.Option(metavar="NAME", help=f"Which sample: {' or '.join(sample.SAMPLES)}.")
    ] = sample.DEFAULT,
) -> None:
    """Train a sample project, by default messages to customer support, and tell its accuracy beside TF-IDF's."""
    project = sample.open_or_make(folder, name)
    _say(f"The sample project is in {project.folder}")
    _run_all(project, resume=True)
    report = _finished(terminal.work(project, "evaluate"), project).report
    for line in terminal.report_lines(report):
        print(line)


# Looking


@app.command()
def data(
    folder: Folder,
    bad_rows: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write all rows that were left out to a CSV: file, row, reason.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Rows by split, classes, repeated texts, rows left out, and the vocabulary."""
    project = Project.open(folder)
    if bad_rows:
        _export_bad_rows(project, bad_rows)
    facts = _data_facts(project)
    if as_json:
        _print_json(facts)
        return
    print(f"{terminal.rows_line(facts)}.")
    for name, count in facts["classes"].items():
        print(f"  {name}: {count:,}")
    for line in terminal.caution_lines(facts):
        print(line)
    for row in facts["bad_rows"][:20]:
        print(f"  left out: {row['file']} row {row['row']:,}: {row['reason']}")
    if facts["vocabulary"]:
        known = facts["vocabulary"]
        print(f"Vocabulary: {known['size']:,} {known['unit']}, rules {known['rules']}.")


def _export_bad_rows(project: Project, out: Path) -> None:
    from ulmfit_core.data.dataset import Dataset

    count = Dataset.open(project.dataset_folder).export_bad_rows(out)
    _say(f"{count:,} rows that were left out are listed in {out}.")


def _data_facts(project: Project) -> dict[str, Any]:
    from ulmfit_core.data.dataset import Dataset
    from ulmfit_core.jobs.import_data import summary
    from ulmfit_core.text.vocab import Vocabulary

    dataset = Dataset.open(project.dataset_folder)
    facts = summary(dataset)
    facts["bad_row_count"] = facts["bad_rows"]
    facts["bad_rows"] = [row._asdict() for row in dataset.bad_rows]
    facts["vocabulary"] = None
    if (project.vocab_folder / "vocab.json").exists():
        vocabulary = Vocabulary.load(project.vocab_folder)
        facts["vocabulary"] = {
            "size": vocabulary.size, "unit": vocabulary.unit, "hash": vocabulary.hash, "rules": vocabulary.rules,
        }  # fmt: skip
    return facts


@app.command()
def runs(
    folder: Folder,
    run: Annotated[
        str, typer.Argument(metavar="[RUN]", help="Show the card of this run: its id, the end of one, or last.")
    ] = "",
    markdown: Annotated[bool, typer.Option("--markdown", help="The card as Markdown.")] = False,
    as_json: Json = False,
) -> None:
    """All runs of the project, oldest first; or one run's card: settings, figures, versions, commands to repeat it."""
    project = Project.open(folder)
    if run:
        _print_card(project, run, markdown, as_json)
        return
    table: list[dict[str, Any]] = [
        {"id": each.id, "job": each.job, "created": each.created, "status": each.status, "reason": each.reason,
         "resumable": each.resumable, "tags": list(each.tags), "notes": each.notes}
        for each in project.runs()
    ]  # fmt: skip
    if as_json:
        _print_json(table)
        return
    for row in table:
        resume = "  (can be resumed)" if row["resumable"] else ""
        tags = f"  [{', '.join(row['tags'])}]" if row["tags"] else ""
        notes = f"  {' '.join(row['notes'].split())}" if row["notes"] else ""
        print(f"{row['id']}  {row['status']}{resume}  {row['reason']}{tags}{notes}".rstrip())
    _say(storage.summary(project))


def _print_card(project: Project, name: str, markdown: bool, as_json: bool) -> None:
    from ulmfit_core.run_card import make_card

    card = make_card(project, _named_run(project, name))
    if as_json:
        _print_json(card.record())
    else:
        print(card.markdown() if markdown else card.text(), end="")


def _named_run(project: Project, name: str) -> RunInfo:
    """The run of that id, the newest whose id ends with it, or the last one. Raises UserError where there is none."""
    for each in project.runs_of():
        if name == "last" or each.id.endswith(name):
            return each
    raise UserError(f"{project.folder} has no run “{name}”. List them with: ulmfit runs {project.folder}")


# Using the classifier


@app.command()
def evaluate(
    folder: Folder,
    data: Annotated[Path | None, typer.Option(help="Another labelled file with the project's columns.")] = None,
    split: Annotated[str, typer.Option(help="Which of the project's rows to measure: test or valid.")] = "test",
    csv_file: Annotated[
        Path | None, typer.Option("--csv", metavar="FILE", help="Write every answer to a CSV, a row each.")
    ] = None,
    html_file: Annotated[
        Path | None, typer.Option("--html", metavar="FILE", help="Write a report that any browser shows.")
    ] = None,
    eight_bits: Annotated[bool, typer.Option("--int8", help="Read the network in 8-bit numbers.")] = False,
    as_json: Json = False,
) -> None:
    """Measure the classifier on the test rows, beside TF-IDF and the commonest class."""
    if split not in ("test", "valid"):
        raise typer.BadParameter("--split is test or valid.")
    project = Project.open(folder)
    report = _finished(terminal.work(project, "evaluate", data=data, split=split, eight_bits=eight_bits)).report
    _export_answers(project, report["run"], csv_file, html_file)
    if as_json:
        _print_json(report)
        return
    for line in terminal.report_lines(report):
        print(line)


def _export_answers(project: Project, run: str, csv_file: Path | None, html_file: Path | None) -> None:
    from ulmfit_core.inference.exports import write_csv, write_html

    evaluated = project.folder / "runs" / run
    if csv_file:
        write_csv(evaluated, csv_file)
    if html_file:
        write_html(project, evaluated, html_file)
    for written in filter(None, (csv_file, html_file)):
        _say(f"Written: {written}")


@app.command()
def predict(
    folder: Folder,
    texts: Annotated[list[str] | None, typer.Argument(metavar="[TEXT]...", help="Texts to classify.")] = None,
    data: Annotated[Path | None, typer.Option(help="A file whose rows to classify.")] = None,
    out: Annotated[Path | None, typer.Option(help="Where to write the answers: .csv, .jsonl or .parquet.")] = None,
    text: Annotated[
        list[str] | None, typer.Option(help="Text column of the file, by name or number; may be repeated.")
    ] = None,
    keep: Annotated[
        list[str] | None, typer.Option(help="Column to keep beside the answers, or all, or none; may be repeated.")
    ] = None,
    int8: Annotated[
        bool, typer.Option("--int8", help="Read with weights in 8 bits: faster, a few answers differ.")
    ] = False,
    resume: Annotated[bool, typer.Option("--resume", help="Go on where a stopped or killed go ended.")] = False,
    as_json: Json = False,
) -> None:
    """Classify texts, or the rows of a file. Ctrl-C stops; what is done is kept beside OUT, to go on with --resume."""
    if bool(texts) == bool(data):
        raise typer.BadParameter("Give either texts or --data FILE.")
    if (out or text or keep or int8) and not data:
        raise typer.BadParameter("--out, --text, --keep and --int8 need --data.")
    if resume and not out:
        raise typer.BadParameter("--resume needs --data and --out.")
    project = Project.open(folder)
    answers: dict[str, Any] | list[dict[str, Any]]
    if data is None:
        answers = _predict_texts(project, texts or [])
    else:
        reading = {"text": text} if text else {}
        options: dict[str, Any] = {"keep": keep or [], "reading": reading, "eight_bits": int8, "go_on": resume}
        answers = _predict_file(project, data, out, options)
    if as_json:
        _print_json(answers)
    elif isinstance(answers, dict):
        print("\n".join(file_summary.lines(answers)))
    else:
        _print_answers(answers)


def _predict_texts(project: Project, texts: list[str]) -> list[dict[str, Any]]:
    from ulmfit_core.inference.predictor import Predictor, as_record

    predictor = Predictor.of(project)
    if predictor.blend_weight:
        _say(f"The answers are {config.blend_note(predictor.blend_weight)}.")
    return [as_record(prediction) for prediction in predictor.predict(texts)]


def _predict_file(
    project: Project, data: Path, out: Path | None, options: dict[str, Any]
) -> dict[str, Any] | list[dict[str, Any]]:
    """The job's summary, or its list of answers where they are written nowhere."""
    report = _finished(terminal.work(project, "predict", data=data, out=out, **options)).report
    return report if out else report["predictions"]


def _print_answers(answers: list[dict[str, Any]]) -> None:
    for answer in answers:
        share, said = answer["probabilities"][answer["label"]], answer["answer"]
        named = "" if said == answer["label"] else f" ({answer['label']} {share:.0%})"
        print(f"{said}{named}\t{share:.3f}\t{' '.join(answer['text'].split())}")


@app.command()
def generate(
    folder: Annotated[
        Path, typer.Argument(metavar="DIR", help="A project's folder, or that of a language model.", show_default=False)
    ],
    prompt: Annotated[str, typer.Argument(metavar="PROMPT", help="How the text begins.")],
    words: Annotated[int, typer.Option(min=1, max=10_000, help="How many words to add.")] = 30,
    temperature: Annotated[float, typer.Option(min=0.0, max=10.0, help="0 is the likeliest text.")] = 0.8,
    top_k: Annotated[int, typer.Option(min=0, help="Choose among so many of the likeliest; 0: all.")] = 0,
    top_p: Annotated[float, typer.Option(min=0.0, max=1.0, help="Choose among the likeliest of this total.")] = 1.0,
    min_p: Annotated[float, typer.Option(min=0.0, max=1.0, help="Least share of the likeliest's probability.")] = 0.0,
    no_repeat: Annotated[int, typer.Option(min=0, help="Write no so many tokens in a row twice; 0: no limit.")] = 0,
    seed: Annotated[int, typer.Option(min=0, help="Number from which the choice follows.")] = 0,
    stop: Annotated[str, typer.Option(help="End before these characters.")] = "",
    as_json: Json = False,
) -> None:
    """Let the fine-tuned (or pretrained) language model go on from PROMPT, word by word."""
    from ulmfit_core.inference.generate import Generator, Sampling

    writer = Generator.load(_language_model(folder))
    sampling = Sampling(
        words=words, no_repeat=no_repeat, temperature=temperature, top_k=top_k, top_p=top_p, min_p=min_p, seed=seed,
        stop=stop,
    )  # fmt: skip
    text = writer.stream(prompt, sampling)
    if as_json:
        _print_json({"prompt": prompt, "text": "".join(text), **dataclasses.asdict(sampling)})
        return
    for piece in text:
        print(piece, end="", flush=True)
    print()


def _language_model(folder: Path) -> Path:
    """The bundle that `folder` is, or the last language model that the project in it trained, or its base."""
    if (folder / "model.json").exists():
        return folder
    project = Project.open(folder)
    places = [project.bundle_folder(step) for step in ("finetune", "pretrain")]
    if project.recipe.base != SCRATCH:
        places.append(base_folder(project.recipe.base))
    return next((place for place in places if place.exists()), places[0])


# Words for people


def _say(text: str) -> None:
    print(text, file=sys.stderr)


def _print_json(value: Any) -> None:
    print(json.dumps(value, ensure_ascii=False, indent=1))


if __name__ == "__main__":
    main()
