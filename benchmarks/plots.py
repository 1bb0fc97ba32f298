"""What the plots cost: 1,000,000 steps flow through every plot of the window; time of a frame, growth of memory.

Run it as ``python benchmarks/plots.py [--steps N] [--json]``. No display is needed. A made-up training of five layer
groups writes its log as a real one does, 1,000 steps between two frames, and the plot follows: each third plot in its
turn, then the whole run with every choice of the tools (smoothing, axes, zoom), then a finished run that is opened. A
frame is reading what is new, drawing it and painting it. Its time is that of the window's thread on the processor,
which other work on the machine does not lengthen; Qt paints in memory, as it does on X11.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

import numpy as np  # noqa: E402
from PySide6.QtCore import QRectF  # noqa: E402

from studio.__main__ import make_application  # noqa: E402
from studio.widgets.live_plot import LivePlot  # noqa: E402
from studio.widgets.overlay import Overlay  # noqa: E402
from studio.widgets.pace import memory_megabytes  # noqa: E402
from studio.widgets.plot_export import save_csv  # noqa: E402
from studio.widgets.third_plot import KINDS  # noqa: E402
from studio.worker import Collector  # noqa: E402
from ulmfit_core.config import StageSettings  # noqa: E402
from ulmfit_core.events import EpochEnded  # noqa: E402
from ulmfit_core.run import Run  # noqa: E402
from ulmfit_core.training.group_norms import LOOK_EVERY, columns  # noqa: E402
from ulmfit_core.training.plan import make_plan  # noqa: E402

GROUPS = ["embedding", "rnn1", "rnn2", "rnn3", "head"]
EPOCHS = 20
FRAME_STEPS = 1000
WARM = 0.1  # of the frames, before memory is measured for the first time
SIZE = 900, 600


class Training:
    """A made-up run in `folder`, as far as it is asked to go."""

    def __init__(self, folder: Path, total: int):
        self.folder, self.done, self.total = folder, 0, total
        settings = StageSettings(epochs=EPOCHS, unfreezing="all")
        self.plan = make_plan(settings, GROUPS, lambda epoch: total // EPOCHS)
        self.run = Run(folder)
        self.run.emit(self.plan.event())
        self.names = [
            "step", "loss", *(f"lr:{name}" for name in GROUPS), "momentum", "weight_decay", "grad_norm",
            *columns(GROUPS), "tokens", "seconds",
        ]  # fmt: skip
        self.run.open_steps(self.names)
        self.random = np.random.default_rng(1)

    def go(self, steps: int) -> None:
        numbers = np.arange(self.done, self.done + steps)
        noise = self.random.normal(1, 0.05, (steps, 3))
        norms = self.random.uniform(1e-4, 1, (steps, 2 * len(GROUPS))) * (numbers % LOOK_EVERY == 0)[:, None]
        loss = (2 + 4 * np.exp(-numbers / (0.2 * self.total))) * noise[:, 0]
        rates = np.outer(np.sin(np.pi * (numbers + 1) / (self.total + 1)), [1e-4, 3e-4, 1e-3, 3e-3, 1e-2])
        steady = np.tile([0.8, 0.01], (steps, 1))
        rows = np.column_stack(
            [numbers + 1, loss, rates, steady, noise[:, 1], norms, 2000 * noise[:, 2], (numbers + 1) * 0.01]
        )
        for row in rows.astype(np.float32).tolist():
            self.run.emit_step(row)
        self.run._flush_steps()
        self.done += steps
        if self.done % (self.total // EPOCHS) == 0:
            metrics = {"valid_loss": float(loss[-1]), "seconds": self.done * 0.01}
            epoch = self.done // (self.total // EPOCHS) - 1
            self.run.emit(EpochEnded(epoch, 0, self.done, metrics, True))


def main() -> int:
    options = arguments()
    app = make_application(["plots"])
    Collector(app)
    with tempfile.TemporaryDirectory() as folder:
        training = Training(Path(folder) / "run", options.steps)
        report = measure(app.processEvents, training)
    print(json.dumps(report) if options.json else "\n".join(lines(report)))
    return 0


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=1_000_000)
    parser.add_argument("--json", action="store_true", help="one JSON value on standard output")
    return parser.parse_args()


def measure(paint: Callable[[], None], training: Training) -> dict:
    plot = LivePlot()
    plot.resize(*SIZE)
    plot.show()
    plot.show_run(training.folder)
    plot._timer.stop()  # a frame is asked for below
    frames, memory = follow(paint, plot, training)
    chosen = {name: frame(paint, act) for name, act in choices(plot)}
    report = {
        "steps": training.done,
        "frame_ms": spread([ms for times in frames.values() for ms in times]),
        "frame_ms_by_plot": {kind or "none": spread(times) for kind, times in frames.items()},
        "choice_ms": chosen,
        "open": opening(paint, training),
        "memory_growth_mb": round(memory[-1] - memory[0], 1),
        "memory_mb": [round(megabytes) for megabytes in memory],
        "csv": saving(training),
    }
    training.run.close()
    return report


def follow(paint: Callable[[], None], plot: LivePlot, training: Training) -> tuple[dict[str, list[float]], list[float]]:
    """Milliseconds of each frame by third plot, and the memory at ten places of the run."""
    frames: dict[str, list[float]] = {kind: [] for kind in KINDS}
    count = training.total // FRAME_STEPS
    memory: list[float] = []
    for number in range(count):
        training.go(FRAME_STEPS)
        kind = list(KINDS)[number * len(KINDS) // count]
        if plot.third.kind != kind:
            plot.tools.thirds.actions()[list(KINDS).index(kind)].trigger()
            paint()
            continue  # that is a choice, not a frame
        frames[kind].append(frame(paint, plot.reread))
        if number >= WARM * count and number % max(1, count // 10) == 0:
            memory.append(memory_megabytes())
    return frames, [*memory, memory_megabytes()]


def frame(paint: Callable[[], None], act: Callable[[], object]) -> float:
    """Milliseconds of this thread for doing something and painting what follows from it."""
    begin = time.thread_time()
    act()
    paint()
    return round((time.thread_time() - begin) * 1000, 2)


def choices(plot: LivePlot) -> Iterator[tuple[str, Callable[[], object]]]:
    """What a person may choose when the whole run is there. The first frame after each."""
    smoothings = plot.tools.smoothings.actions()
    yield "more smoothing", smoothings[2].trigger
    yield "no smoothing", smoothings[0].trigger
    yield "less smoothing", smoothings[1].trigger
    yield "log loss", plot.tools._log_loss.toggle
    yield "log steps", plot.tools._log_steps.toggle
    yield "even steps", plot.tools._log_steps.toggle
    yield "even loss", plot.tools._log_loss.toggle
    middle = plot.look.window.total / 2
    yield "zoom", lambda: plot.look.zoom(0.5, middle)
    yield "zoom into a box", lambda: plot.look.zoom_into(QRectF(middle, 1, middle / 5, 2), False)
    yield "crosshair", lambda: plot.cross(middle + 77)
    yield "show all", plot.look.show_all


def opening(paint: Callable[[], None], training: Training) -> dict[str, float]:
    """A finished run that is opened, alone and beside itself: the longest stall, and the time until it is whole."""
    plot, overlay = LivePlot(), Overlay()
    both = [("one", training.folder), ("two", training.folder)]
    alone = opened(paint, plot, lambda: plot.show_run(training.folder))
    beside = opened(paint, overlay, lambda: overlay.show_runs(both))
    return {f"plot_{name}": value for name, value in alone.items()} | {
        f"overlay_{name}": value for name, value in beside.items()
    }


def opened(paint: Callable[[], None], widget: LivePlot | Overlay, show: Callable[[], object]) -> dict[str, float]:
    widget.resize(*SIZE)
    widget.show()
    begin, stalls = time.thread_time(), [frame(paint, show)]
    while behind(widget):
        stalls.append(frame(paint, lambda: None))
    widget.close()
    return {"longest_ms": max(stalls), "seconds": round(time.thread_time() - begin, 2)}


def behind(widget: LivePlot | Overlay) -> bool:
    curves = [widget.curves] if isinstance(widget, LivePlot) else [curves for _, curves in widget.runs]
    return any(each is not None and each.behind for each in curves)


def saving(training: Training) -> dict[str, float]:
    import pyarrow.csv  # noqa: F401, its memory is not that of the steps

    target = training.folder / "steps.csv"
    before, begin = memory_megabytes(), time.perf_counter()
    count = save_csv(training.folder, target)
    seconds = time.perf_counter() - begin
    return {
        "rows": count, "seconds": round(seconds, 2), "megabytes": round(target.stat().st_size / 1e6, 1),
        "memory_growth_mb": round(memory_megabytes() - before, 1),
    }  # fmt: skip


def spread(times: list[float]) -> dict[str, float]:
    return {
        "median": round(float(np.median(times)), 2), "p99": round(float(np.percentile(times, 99)), 2),
        "max": round(max(times), 2), "frames": len(times),
    }  # fmt: skip


def lines(report: dict) -> Iterator[str]:
    yield f"{report['steps']:,} steps; milliseconds a frame: median, 99 of 100, longest"
    for name, row in {"all": report["frame_ms"], **report["frame_ms_by_plot"]}.items():
        yield f"  {name:15} {row['median']:7.2f} {row['p99']:7.2f} {row['max']:7.2f}   ({row['frames']} frames)"
    yield "milliseconds of the first frame after a choice"
    for name, value in report["choice_ms"].items():
        yield f"  {name:15} {value:7.2f}"
    yield f"opening the finished run: {report['open']}"
    yield f"memory grew by {report['memory_growth_mb']} MB ({report['memory_mb']})"
    yield f"all steps as CSV: {report['csv']}"


if __name__ == "__main__":
    sys.exit(main())
