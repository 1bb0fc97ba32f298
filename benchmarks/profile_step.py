"""Where the time of one training step goes, part by part, beside what matrix products of its size would take.

    python benchmarks/profile_step.py [--sizes small wide large] [--precision float32 auto] [--steps 12] [--json]

The product's own trainer takes the steps; clocks are put around its parts. Each figure is the median over the steps.
With one thread it is the processor's time, which other programs on the machine do not lengthen much. An operation of
the backward pass counts to the part that has just begun there: what follows the first LSTM layer is the embedding's.
The attainable is the arithmetic of a part at the rate of matrix products in the same number format, measured in the
same run. A run rewrites the tables of its sizes and formats in docs/performance.md.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import Any

import torch
from engine_lm import documents, vocabulary
from page import PAGE, write_between
from study import recipe
from torch import Tensor, nn
from train_lm import CASES, Case, made_up_text

from ulmfit_core import device as devices
from ulmfit_core.data.feed import Feed
from ulmfit_core.jobs import language_model_stage
from ulmfit_core.jobs.language_model_stage import LanguageModelStage
from ulmfit_core.models import bundle as bundles
from ulmfit_core.models import dropout
from ulmfit_core.run import Run
from ulmfit_core.training.trainer import Trainer

CPU = torch.device("cpu")
SIZES = {
    "small": CASES["small"],
    "wide": Case(16_000, 400, 1152, 3, 16, 70),
    "large": CASES["16000"],
}
WARM = 2  # steps before the first that counts
OTHER = "Python and all else"
PARTS = (
    "batch", "random numbers of the masks", "embedding and dropouts, forward", "LSTM, forward", "LSTM, backward",
    "embedding and dropouts, backward", "decoder and loss, both ways", "activation penalties, forward",
    "penalties and output dropout, backward", "clipping", "optimizer", OTHER,
)  # fmt: skip
BATCH, MASKS, EMBEDDING, FORWARD, BACKWARD, EMBEDDING_BACK, LOSS, PENALTY, TOP_BACK, CLIP, OPTIMIZER, _ = PARTS

# What is timed in place and belongs to modules and classes, which outlive a trainer.
SHARED = (
    (Feed, "__getitem__"), (dropout, "mask"), (language_model_stage, "unknown_noise"),
    (language_model_stage, "activation_penalty"),
)  # fmt: skip


# The clock


def fitting_clock() -> Callable[[], float]:
    """The processor's for one thread, which other programs hardly lengthen; several would be added up: the wall's."""
    return time.process_time if torch.get_num_threads() == 1 else time.perf_counter


class Stopwatch:
    """Charges the time that passes to one part at a time."""

    def __init__(self, clock: Callable[[], float]):
        self._clock = clock
        self._part, self._since = OTHER, clock()
        self._seconds = dict.fromkeys(PARTS, 0.0)
        self.steps: list[dict[str, float]] = []

    def switch(self, part: str) -> str:
        """From now on the time is this part's. Returns the part before."""
        now, before = self._clock(), self._part
        self._seconds[before] += now - self._since
        self._part, self._since = part, now
        return before

    def end_step(self) -> None:
        self.switch(OTHER)
        self.steps.append(self._seconds)
        self._seconds = dict.fromkeys(PARTS, 0.0)

    def around(self, owner: Any, name: str, part: str) -> None:
        """The time inside of `owner.name(...)` is this part's, but for the parts within it."""
        function = getattr(owner, name)

        def timed(*arguments: Any, **options: Any) -> Any:
            before = self.switch(part)
            try:
                return function(*arguments, **options)
            finally:
                self.switch(before)

        setattr(owner, name, timed)

    def on_gradient(self, tensor: Tensor, part: str) -> None:
        """When the gradient of `tensor` is known, the backward pass comes to this part."""
        if tensor.requires_grad:
            tensor.register_hook(lambda grad: self.switch(part) and None)

    def around_layer(self, layer: nn.Module) -> None:
        self.around(layer, "forward", FORWARD)

        def hook(_: nn.Module, inputs: tuple[Tensor, ...], output: tuple[Tensor, Any]) -> None:
            self.on_gradient(output[0], BACKWARD)
            self.on_gradient(inputs[0], EMBEDDING_BACK)

        layer.register_forward_hook(hook)

    def median(self) -> dict[str, float]:
        """Seconds of each part in the middle step."""
        counted = self.steps[WARM:]
        return {part: median(step[part] for step in counted) for part in PARTS}


class CountedRun(Run):
    """A run without a log that ends after so many steps."""

    def __init__(self, watch: Stopwatch, steps: int):
        super().__init__()
        self._watch, self._left = watch, steps

    def emit_step(self, numbers: Sequence[float]) -> None:
        self._watch.end_step()
        self._left -= 1

    def poll(self) -> bool:
        if self._left > 0:
            return True
        for _ in range(2):  # asked twice, a training ends without a tail
            self.control.finish()
        return False


@contextlib.contextmanager
def functions_restored(*places: tuple[Any, str]) -> Iterator[None]:
    """Put back what `Stopwatch.around` has replaced."""
    before = [(owner, name, getattr(owner, name)) for owner, name in places]
    try:
        yield
    finally:
        for owner, name, function in before:
            setattr(owner, name, function)


# One profile


def make_trainer(case: Case, precision: str, folder: Path, run: Run) -> Trainer:
    made = recipe({
        "model.embedding": case.embedding, "model.hidden": case.hidden, "model.layers": case.layers,
        "pretrain.batch_size": case.batch, "pretrain.bptt": case.window, "pretrain.variable_bptt": False,
        "pretrain.precision": precision, "pretrain.checkpoint_seconds": 1e9,
    })  # fmt: skip
    text = documents(str(made_up_text(folder, case.vocabulary, 1)))
    words = vocabulary(case.vocabulary)
    model = bundles.new_language_model(made.model, words.size, made.pretrain)
    stage = LanguageModelStage("pretrain", made.pretrain, model, words, text, text)
    return Trainer(stage, run, folder, CPU, threads=torch.get_num_threads())


def attach(watch: Stopwatch, trainer: Trainer) -> None:
    stage: Any = trainer.stage
    watch.around(Feed, "__getitem__", BATCH)
    watch.around(dropout, "mask", MASKS)
    watch.around(language_model_stage, "unknown_noise", MASKS)
    watch.around(stage.model, "read", EMBEDDING)
    watch.around(stage.model, "loss", LOSS)
    watch.around(language_model_stage, "activation_penalty", PENALTY)
    watch.around(trainer, "_differentiate", TOP_BACK)
    watch.around(trainer, "_clip", CLIP)
    watch.around(trainer.optimizer, "step", OPTIMIZER)
    for layer in stage.model.encoder.layers:
        watch.around_layer(layer)
    stage.validate = lambda run: {"valid_loss": 0.0}
    stage.after_epoch = lambda epoch, run: None


def profile(case: Case, precision: str, steps: int, folder: Path) -> dict[str, float]:
    """Seconds of each part of a step."""
    watch = Stopwatch(fitting_clock())
    trainer = make_trainer(case, precision, folder, CountedRun(watch, WARM + steps))
    with functions_restored(*SHARED):
        attach(watch, trainer)
        trainer.fit()
    return watch.median()


# What the arithmetic alone would take


def operations(case: Case) -> dict[str, int]:
    """Additions and multiplications of the matrix products of each part, in a step."""
    sizes = [case.embedding] + [case.hidden] * (case.layers - 1) + [case.embedding]
    layers = sum(4 * outputs * (inputs + outputs) for inputs, outputs in pairwise(sizes))
    decoder = case.embedding * case.vocabulary
    return {FORWARD: 2 * case.tokens * layers, BACKWARD: 4 * case.tokens * layers, LOSS: 6 * case.tokens * decoder}


def matmul_rate(case: Case, precision: str) -> float:
    """Operations per second of the inner layers' input product."""
    form = devices.number_format(CPU, precision)
    x, weight = torch.ones(case.tokens, case.hidden, dtype=form), torch.ones(4 * case.hidden, case.hidden, dtype=form)
    clock = fitting_clock()
    seconds = []
    for _ in range(7):
        began = clock()
        nn.functional.linear(x, weight)
        seconds.append(clock() - began)
    return 2 * x.numel() * len(weight) / median(seconds)


def measure(size: str, precision: str, steps: int, folder: Path) -> dict[str, Any]:
    case = SIZES[size]
    rates = [matmul_rate(case, precision)]
    seconds = profile(case, precision, steps, folder)
    rates.append(matmul_rate(case, precision))
    rate, total = median(rates), sum(seconds.values())
    form = str(devices.number_format(CPU, precision)).removeprefix("torch.")
    return {
        "size": size, "title": case.title, "format": form, "threads": torch.get_num_threads(), "seconds": seconds,
        "total": total, "matmul": rate, "attainable": {part: n / rate for part, n in operations(case).items()},
        "share": case.flops * case.tokens / total / rate, "tokens_per_second": case.tokens / total,
    }  # fmt: skip


# The tables


def table(row: dict[str, Any]) -> str:
    lines = [
        f"**{row['title']}, {row['format']}**: {1e3 * row['total']:,.0f} ms a step, "
        f"{row['tokens_per_second']:,.0f} tokens/s, {row['share']:.2f} of the matrix products' "
        f"{row['matmul'] / 1e9:.0f} GFLOP/s (threads: {row['threads']})", "",
        "| part of the step | ms | share | attainable ms |", "|---|---|---|---|",
    ]  # fmt: skip
    for part, seconds in row["seconds"].items():
        attainable = f"{1e3 * row['attainable'][part]:,.1f}" if part in row["attainable"] else ""
        lines.append(f"| {part} | {1e3 * seconds:,.1f} | {seconds / row['total']:.1%} | {attainable} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", nargs="+", choices=list(SIZES), default=list(SIZES))
    parser.add_argument("--precision", nargs="+", choices=["float32", "bf16", "auto"], default=["float32", "auto"])
    parser.add_argument("--steps", type=int, default=12)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--json", action="store_true", help="print the figures as one JSON list")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        one = partial(measure, steps=options.steps, folder=Path(folder))
        for size in options.sizes:
            for precision in options.precision:
                rows.append(one(size, precision))
                write_between(PAGE, f"profile_step {size} {precision}", table(rows[-1]))
    print(json.dumps(rows) if options.json else "\n\n".join(map(table, rows)))


if __name__ == "__main__":
    main()
