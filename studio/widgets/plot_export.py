"""Taking a run's curves elsewhere: as a picture, as the figures that are drawn, as a table of every step."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PySide6.QtCore import QBuffer, QByteArray, QIODevice, QPoint, QRect, QSize
from PySide6.QtGui import QImage, QPainter
from PySide6.QtSvg import QSvgGenerator
from PySide6.QtWidgets import QWidget

from studio import theme
from studio.widgets.curves import GAPS, Curves
from ulmfit_core import events, files
from ulmfit_core.events import EpochEnded, Plan
from ulmfit_core.run import Steps, read_steps

SHARPNESS = 2  # dots of a picture for each of the screen's
CHUNK = 10_000  # steps that are turned into text at once


def picture(plots: QWidget, hidden: Sequence[QWidget]) -> QImage:
    """Of the plots without what is `hidden`, whose room stays free."""
    image = QImage(plots.size() * SHARPNESS, QImage.Format.Format_ARGB32_Premultiplied)
    image.setDevicePixelRatio(SHARPNESS)
    image.fill(theme.colours().surface)
    with left_out(hidden):
        plots.render(image, renderFlags=QWidget.RenderFlag.DrawChildren)
    return image


@contextlib.contextmanager
def left_out(parts: Sequence[QWidget]) -> Iterator[None]:
    seen = [part for part in parts if part.isVisible()]
    for part in seen:
        part.hide()
    try:
        yield
    finally:
        for part in seen:
            part.show()


def png(plots: QWidget, hidden: Sequence[QWidget]) -> bytes:
    data = QByteArray()
    buffer = QBuffer(data)
    buffer.open(QIODevice.OpenModeFlag.WriteOnly)
    picture(plots, hidden).save(buffer, "PNG")  # type: ignore[call-overload]
    return bytes(data.data())


def svg(plots: QWidget, hidden: Sequence[QWidget]) -> bytes:
    data = QByteArray()
    buffer = QBuffer(data)
    generator = QSvgGenerator()
    generator.setOutputDevice(buffer)
    generator.setResolution(plots.logicalDpiX())
    generator.setSize(QSize(plots.width(), plots.height()))
    generator.setViewBox(QRect(0, 0, plots.width(), plots.height()))
    generator.setTitle("Loss and learning rate of a training")
    painter = QPainter(generator)
    painter.fillRect(plots.rect(), theme.colours().surface)
    with left_out(hidden):
        plots.render(painter, QPoint(), renderFlags=QWidget.RenderFlag.DrawChildren)
    painter.end()
    return bytes(data.data())


def figures(curves: Curves) -> str:
    """What is drawn, at most 1,500 lines of it, separated by tabs: spreadsheets take that from the clipboard."""
    drawn = curves.drawn
    if drawn is None:
        return ""
    names = [name for name in curves.columns if name != "step"]
    means = [drawn.means(curves.columns.index(name)) for name in names]
    first = [str(int(edge) + 1) for edge in drawn.edges[:-1]]
    filled = np.flatnonzero(drawn.members.any(axis=1))
    rows = ["\t".join([first[row], *(cell(values[row]) for values in means)]) for row in filled]
    return "\n".join(["\t".join(["step", *names]), *rows])


def cell(value: float) -> str:
    return f"{value:.6g}" if np.isfinite(value) else ""


def save_csv(folder: Path, target: Path) -> int:
    """Write every step of the run in `folder`, with its epoch and the validation loss where one was taken.

    Returns the number of steps. A part of the steps is in memory at a time, and Python's lock is free meanwhile.
    """
    steps, told = read_steps(folder / "steps.f32"), events.read_events(folder / "events.jsonl")
    plans = [event for event in told if isinstance(event, Plan)]
    ends = np.array(plans[-1].epoch_ends if plans else [], np.int64)
    valid = {event.step: event.metrics.get("valid_loss") for event in told if isinstance(event, EpochEnded)}
    with files.replacing_file(target) as log:
        for first in range(0, max(1, len(steps.values)), CHUNK):
            part = Steps(steps.columns, steps.values[first : first + CHUNK])
            log.write(csv_part(part, first, ends, valid))
    return len(steps.values)


def csv_part(steps: Steps, first: int, ends: np.ndarray, valid: dict[int, float | None]) -> bytes:
    """Lines of CSV of steps that are preceded by `first` others; the first part begins with the names."""
    import pyarrow as pa
    from pyarrow import csv

    numbers = np.arange(first + 1, first + 1 + len(steps.values))
    table: dict[str, Any] = {
        "step": numbers,
        "epoch": np.searchsorted(ends, numbers) + 1,
        "valid_loss": pa.array([valid.get(number) for number in numbers.tolist()], pa.float64()),
    }
    for name in steps.columns:
        if name != "step":
            values = np.array(steps[name])
            missing = ~np.isfinite(values) | (values == 0 if name.startswith(GAPS[1:]) else False)
            table[name] = pa.array(values, mask=missing)
    sink = pa.BufferOutputStream()
    csv.write_csv(pa.table(table), sink, csv.WriteOptions(include_header=first == 0))
    return sink.getvalue().to_pybytes()
