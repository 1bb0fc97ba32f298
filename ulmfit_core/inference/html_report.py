"""An evaluation as one page that any browser shows, light or dark: nothing in it is loaded from elsewhere or runs.

Pure functions of the report and the answers; every label, text and name is escaped.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from html import escape
from typing import Any

from ulmfit_core.config import blend_note
from ulmfit_core.inference import analysis
from ulmfit_core.inference.answers import Answers
from ulmfit_core.inference.findings import FIGURES, SPLITS, simpler_means, worst_first
from ulmfit_core.inference.html_plots import Line, plot

MOST_SQUARE = 30  # classes up to which the confusion matrix is open
MOST_CURVES = 12
MOST_LISTED = 50
MOST_CHARACTERS = 600  # of a text
ACCURACIES = (0.9, 0.95, 0.98, 0.99)
THRESHOLDS = (0.0, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99)
STYLE = """
:root{color-scheme:light dark;--back:#f3f4f7;--card:#fff;--text:#1c2230;--muted:#566070;--line:#c9ced8;--grid:#dfe3ea;
--accent:#2456c4;--grey:#7b8494;--shade:36 86 196;--most:.6}
@media(prefers-color-scheme:dark){:root{--back:#15181e;--card:#1e232b;--text:#e8ebf1;--muted:#a7b0be;--line:#444d5c;
--grid:#343c48;--accent:#84adff;--grey:#8d97a6;--shade:132 173 255;--most:.45}}
*{box-sizing:border-box}body{margin:0;background:var(--back);color:var(--text);font:15px/1.5 system-ui,sans-serif}
main{max-width:72rem;margin:0 auto;padding:1.5rem 1rem 4rem}h1{font-size:1.6rem;margin:.2rem 0}
h2{font-size:1.15rem;margin:0 0 .5rem}h3{font-size:.95rem;margin:0}p{margin:.3rem 0 .8rem}.muted{color:var(--muted)}
section{background:var(--card);border:1px solid var(--line);border-radius:8px;padding:1rem 1.2rem;margin:1rem 0}
.scroll{overflow-x:auto;max-width:100%}.across{display:flex;flex-wrap:wrap;align-items:flex-start;gap:1rem 2rem}
table{border-collapse:collapse;font-variant-numeric:tabular-nums}
th,td{padding:.25rem .6rem;text-align:left;vertical-align:top;border-bottom:1px solid var(--grid)}
th{font-weight:600}thead th{color:var(--muted);font-weight:500;white-space:nowrap}
.scroll+.across{margin-top:1rem}.n{text-align:right;white-space:nowrap}
.text{overflow-wrap:anywhere;min-width:16rem;white-space:pre-line}
.square td,.square th{border:1px solid var(--grid);text-align:right;padding:.2rem .45rem}
.square td{background:rgb(var(--shade)/calc(var(--s,0)*var(--most)))}
.square thead th{writing-mode:vertical-rl;transform:rotate(180deg);max-height:11rem;text-align:left}
.square thead th:first-child{writing-mode:horizontal-tb;transform:none;vertical-align:bottom}
.bar{display:inline-block;width:8rem;height:.55rem;background:var(--grid);border-radius:3px;overflow:hidden}
.bar i{display:block;height:100%;background:var(--accent)}
svg.plot{width:22.5rem;max-width:100%;height:auto}svg text{fill:var(--text);font:12px system-ui,sans-serif}
svg text.tick{fill:var(--muted);font-size:11px}svg path{fill:none;stroke-width:1.8}svg .grid{stroke:var(--grid);
stroke-width:1}svg .answers{stroke:var(--accent)}svg circle.answers{fill:var(--accent)}svg .before{stroke:var(--grey)}
svg circle.before{fill:var(--grey)}svg .ideal{stroke:var(--grey);stroke-dasharray:4 4;stroke-width:1}
summary{cursor:pointer;color:var(--accent)}figure{margin:0}figcaption{overflow-wrap:anywhere;max-width:22.5rem}
"""


def page(name: str, report: dict[str, Any], answers: Answers, made: dict[str, str]) -> str:
    """The whole page. `name` is the project's, `made` says by what and when: names and values, in that order."""
    title = f"Evaluation of {name}"
    parts = [
        _head(name, report), _figures(report), _trust(report), _coverage(answers), _confusion(report),
        _classes(report, answers), _slices(report), _errors(report), _suspects(answers), _made(made),
    ]  # fmt: skip
    return (
        f'<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">"
        f"<style>{STYLE}</style></head><body><main>\n{''.join(part + chr(10) for part in parts if part)}"
        "</main></body></html>\n"
    )


# The parts


def _head(name: str, report: dict[str, Any]) -> str:
    rows = f"{report['rows']:,} {SPLITS.get(report['split'], 'rows of ' + report['split'])}"
    blend = f" Its answers are {blend_note(report['blend']['weight'])}." if "blend" in report else ""
    return f"<h1>{escape(name)}</h1><p>How good the classifier is, measured on {escape(rows)}.{escape(blend)}</p>"


def _figures(report: dict[str, Any]) -> str:
    rows = []
    for name, (title, meaning) in FIGURES.items():
        known = report["figures"][name]
        low, high = known.get("low"), known.get("high")
        interval = "" if low is None or high is None else f"{low:.4f} to {high:.4f}"
        value = "not defined" if known["value"] is None else f"{known['value']:.4f}"
        rows.append(_row([title, _Number(value), _Number(interval), meaning]))
    told = "The true figure lies in the interval in 95 of 100 cases (percentile bootstrap of the rows)."
    table = _table(["Figure", _Number("Value"), _Number("95 % interval"), "What it is"], rows)
    return _section("Figures", told, table + _baselines(report))


def _baselines(report: dict[str, Any]) -> str:
    told = ", ".join(f"{name} {accuracy:.4f}" for name, accuracy in simpler_means(report).items())
    return f'<p class="muted">Accuracy of simpler means on the same rows: {escape(told)}.</p>'


def _trust(report: dict[str, Any]) -> str:
    known = report["calibration"]
    sides = {"answers": known["answers"]}
    if known["exponents"]:
        sides = {"before": known["network"], **sides}
    lines = [Line([0, 1], [0, 1], "ideal")]
    for style, side in sides.items():
        sure, right = ([one[name] for one in side["bins"]] for name in ("confidence", "accuracy"))
        lines.append(Line(sure, right, style, dots=True))
    names = {"before": "the network as it was trained (grey)", "answers": "the answers"}
    said = "; ".join(f"{names[style]}: {side['ece']:.4f}, loss {side['loss']:.4f}" for style, side in sides.items())
    told = f"Expected calibration error ({known['bins']} bins of equal mass): {said}. {known['fitted_on']}"
    drawn = plot(lines, "Calibration", "How sure the answers are", "How often they are right")
    return _section("Is it as sure as it is right?", told, drawn)


def _coverage(answers: Answers) -> str:
    points = analysis.coverage(answers)
    asked = dict.fromkeys(THRESHOLDS, "")
    for accuracy in ACCURACIES:
        threshold = analysis.threshold_for(answers, accuracy)
        if threshold:
            asked[threshold] = f"the lowest that reaches {accuracy:.0%}"
    rows = []
    for threshold, why in sorted(asked.items()):
        answered, right = points.at(threshold)
        if right is not None:
            figures = (f"{threshold:.4f}", f"{answered:.1%}", f"{right:.1%}")
            rows.append(_row([*map(_Number, figures), why]))
    table = _table([_Number("At least so sure"), _Number("Answered"), _Number("Of these right"), ""], rows)
    curve = plot([Line(points.coverage, points.accuracy)], "Coverage", "Texts answered", "Of these right")
    told = "If only answers of at least this probability are given, and the others are left to a person."
    return _section("Answer only when sure", told, f'<div class="across"><div>{table}</div>{curve}</div>')


def _confusion(report: dict[str, Any]) -> str:
    labels, counts = report["labels"], report["confusion"]
    told = "In the matrix rows are true labels, columns answers; the stronger a colour, the more of its row is there."
    head = "".join(f"<th>{escape(label)}</th>" for label in ["", *labels])
    body = "".join(
        f"<tr><th>{escape(label)}</th>{''.join(_cells(row))}</tr>" for label, row in zip(labels, counts, strict=True)
    )
    table = f'<table class="square"><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>'
    square = f'<div class="scroll">{table}</div>'
    if len(labels) > MOST_SQUARE:
        square = f"{_most_confused(labels, counts)}<details><summary>The whole matrix</summary>{square}</details>"
    return _section("What is taken for what", told, square)


def _cells(row: list[int]) -> Iterator[str]:
    total = max(1, sum(row))
    return (f'<td style="--s:{count / total:.3f}">{count:,}</td>' if count else "<td></td>" for count in row)


def _most_confused(labels: list[str], counts: list[list[int]]) -> str:
    pairs = [
        (count, labels[truth], labels[given])
        for truth, row in enumerate(counts)
        for given, count in enumerate(row)
        if count and truth != given
    ]
    rows = [_row([truth, given, _Number(f"{count:,}")]) for count, truth, given in sorted(pairs, reverse=True)[:20]]
    return _table(["True label", "Taken for", _Number("Rows")], rows)


def _classes(report: dict[str, Any], answers: Answers) -> str:
    curves = analysis.precision_recall(answers)
    rows = []
    for label, known in worst_first(report).items():
        figures = [f"{known[name]:.1%}" for name in ("precision", "recall", "f1")] if known["support"] else [""] * 3
        average = f"{curves[label].average_precision:.3f}" if label in curves else ""
        rows.append(_row([label, *map(_Number, (f"{known['support']:,.0f}", *figures, average))]))
    heads = ["Label", *map(_Number, ("Rows", "Precision", "Recall", "F1", "Average precision"))]
    hardest = sorted(curves, key=lambda label: curves[label].average_precision)[:MOST_CURVES]
    drawn = "".join(_curve(label, curves[label]) for label in curves if label in hardest)
    told = "" if len(hardest) == len(curves) else f" Of the {len(hardest)} hardest classes the curve is drawn."
    curves_are = "The curves: precision against recall, as the needed probability falls."
    return _section("Each class", f"The weakest first. {curves_are}{told}",
                    f'{_table(heads, rows)}<div class="across">{drawn}</div>')  # fmt: skip


def _curve(label: str, curve: analysis.Curve) -> str:
    drawn = plot([Line(curve.recall, curve.precision)], f"Precision and recall of {label}", "Recall", "Precision")
    return f"<figure><figcaption><h3>{escape(label)}</h3></figcaption>{drawn}</figure>"


def _slices(report: dict[str, Any]) -> str:
    tables = []
    for column, parts in report["slices"].items():
        name = "Length of the text" if column == "length" else column
        rows = [_slice(part) for part in parts]
        heads = [name, *map(_Number, ("Rows", "Right")), "", _Number("95 % interval")]
        tables.append(f"<div>{_table(heads, rows)}</div>")
    return _section("Parts of the data", "How often the answers are right in each.", _across(tables))


def _slice(part: dict[str, Any]) -> str:
    bar = _Html(f'<span class="bar"><i style="width:{part["accuracy"]:.1%}"></i></span>')
    rows, right = _Number(f"{part['rows']:,}"), _Number(f"{part['accuracy']:.1%}")
    return _row([part["value"], rows, right, bar, _Number(f"{part['low']:.1%} to {part['high']:.1%}")])


def _errors(report: dict[str, Any]) -> str:
    rows = [
        _row([_Text(row["text"]), row["label"], row["predicted"], _Number(f"{row['probability']:.1%}")])
        for row in report["worst"][:MOST_LISTED]
    ]
    heads = ["Text", "True label", "Answer", _Number("Probability")]
    return _section("The worst errors", "Wrong answers that thought the true label the least likely.",
                    _table(heads, rows) if rows else "<p>Nothing was wrong.</p>")  # fmt: skip


def _suspects(answers: Answers) -> str:
    found = analysis.label_errors(answers)
    rows = [
        _row([_Text(one.text), one.label, one.suggested, _Number(f"{one.probability:.1%}")])
        for one in found[:MOST_LISTED]
    ]
    shown = f" The first {MOST_LISTED} of {len(found):,}." if len(found) > MOST_LISTED else ""
    told = f"Rows whose own label may be wrong (confident learning), the most suspect first.{shown}"
    heads = ["Text", "Label", "Suggested", _Number("Probability")]
    return _section("Labels to check", told, _table(heads, rows) if rows else "<p>No label is suspect.</p>")


def _made(made: dict[str, str]) -> str:
    return _section("How this was made", "", _table([], [_row([name, value]) for name, value in made.items()]))


# Pieces


class _Html(str):
    """What is markup already."""


class _Number(str):
    """A cell that is set to the right."""


class _Text(str):
    """A cell with a text of the data, shortened where it is long."""


def _cell(value: str, tag: str) -> str:
    if isinstance(value, _Html):
        return f"<{tag}>{value}</{tag}>"
    if isinstance(value, _Text):
        shown = value if len(value) <= MOST_CHARACTERS else f"{value[:MOST_CHARACTERS]}…"
        return f'<{tag} class="text">{escape(shown)}</{tag}>'
    kind = ' class="n"' if isinstance(value, _Number) else ""
    return f"<{tag}{kind}>{escape(value)}</{tag}>"


def _row(cells: Iterable[str]) -> str:
    return f"<tr>{''.join(_cell(cell, 'td') for cell in cells)}</tr>"


def _table(heads: list[str], rows: list[str]) -> str:
    head = f"<thead><tr>{''.join(_cell(name, 'th') for name in heads)}</tr></thead>" if heads else ""
    return f'<div class="scroll"><table>{head}<tbody>{"".join(rows)}</tbody></table></div>'


def _across(parts: list[str]) -> str:
    return f'<div class="across">{"".join(parts)}</div>'


def _section(title: str, told: str, content: str) -> str:
    line = f'<p class="muted">{escape(told)}</p>' if told else ""
    return f"<section><h2>{escape(title)}</h2>{line}{content}</section>"
