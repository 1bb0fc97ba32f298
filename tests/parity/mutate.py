"""Breaks the code on purpose, one trap at a time, in a copy of the tree, and sees whether the trap's test fails.

    python -m tests.parity.mutate [--write] [--only TRAP ...]

Each row of `MUTATIONS` replaces one piece of one file. A piece that is no longer there, a test that does not pass on
the whole code, and a broken copy that passes are all failures. --write puts the table into docs/parity.md.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from tests.parity.measure import PAGE, write_between

ROOT = Path(__file__).parents[2]
PARTS = ("ulmfit_core", "tests", "resources", "docs", "benchmarks", "pyproject.toml")


@dataclass(frozen=True)
class Mutation:
    trap: int
    how: str
    file: str
    old: str
    new: str
    test: str


MUTATIONS = (
    Mutation(
        1, "input weights are dropped, too", "models/awd_lstm.py", "weights = [self.weight_ih, weight_hh,",
        "weights = [dropout(self.weight_ih, self.weight_drop, rng), weight_hh,",
        "tests/core/test_models.py::test_weight_dropout_is_on_hidden_to_hidden_only_with_the_papers_rate_and_scale",
    ),
    Mutation(
        2, "a fresh mask at each time step", "models/dropout.py", "(x.shape[0], 1, x.shape[2])", "tuple(x.shape)",
        "tests/core/test_models.py::test_locked_dropout_has_one_mask_for_all_time_steps",
    ),
    Mutation(
        3, "hidden dropout after the last layer", "models/awd_lstm.py", "return x, new_state",
        "return locked_dropout(x, self.drops.hidden, rng), new_state",
        "tests/core/test_models.py::test_hidden_dropout_stands_between_layers_and_not_after_the_last",
    ),
    Mutation(
        4, "the decoder has a copy of the embedding", "models/language_model.py",
        "F.linear(dropped, self.encoder.embedding, self.bias)",
        "F.linear(dropped, self.encoder.embedding.detach().clone(), self.bias)",
        "tests/parity/test_recorded.py::test_models[lm_gradients]",
    ),
    Mutation(
        6, "the state is dropped between windows", "jobs/language_model_stage.py",
        "states.append(detach(new_state))",
        "states.append([(0 * h, 0 * c) for h, c in detach(new_state)])",
        "tests/core/test_stages.py::test_state_is_carried_detached_and_begins_each_epoch_at_zero",
    ),
    Mutation(
        7, "pooled in another order", "models/classifier.py", "torch.cat([self.last, self.maximum, self.total / count]",
        "torch.cat([self.maximum, self.last, self.total / count]",
        "tests/parity/test_recorded.py::test_models[scores]",
    ),
    Mutation(
        8, "padding is pooled", "models/classifier.py", "(positions < self.lengths[:, None])",
        "(positions < self.lengths.max())",
        "tests/core/test_models.py::test_batch_mates_do_not_change_a_documents_scores",
    ),
    Mutation(
        11, "TAR on the dropped output", "models/language_model.py", "raw = output.raw.float()",
        "raw = output.dropped.float()", "tests/parity/test_recorded.py::test_parts[penalty]",
    ),
    Mutation(
        12, "a new phase forgets the optimizer's state", "training/trainer.py", "self.stage.model.train()\n",
        "self.stage.model.train()\n        self.optimizer.state.clear()\n",
        "tests/core/test_optimizers.py::"
        "test_frozen_groups_do_not_move_and_unfreezing_keeps_the_state_of_the_others",
    ),
    Mutation(
        13, "AR in the activations' own precision", "models/language_model.py", "output.dropped.float()",
        "output.dropped", "tests/core/test_models.py::test_penalties_of_half_precision_activations_are_float32",
    ),
    Mutation(
        14, "the triangle spans an epoch", "training/plan.py", "else (first, last)", "else (first, ends[epoch])",
        "tests/core/test_schedules.py::test_one_triangle_spans_a_phase_of_several_epochs",
    ),
    Mutation(
        15, "a resume starts the generator anew", "training/trainer.py",
        'self.rng.set_state(own["generator"])', "pass",
        "tests/core/test_trainer.py::test_stopping_anywhere_and_resuming_gives_the_same_bits[finetune-slanted-adamw]",
    ),
    Mutation(
        16, "hashes of vocabularies are not compared", "models/bundle.py", "if vocab.hash !=",
        "if False and vocab.hash !=",
        "tests/core/test_traps.py::test_another_vocabulary_in_the_bundle_is_refused",
    ),
    Mutation(
        18, "answers in the order of reading", "inference/predictor.py", "scores[rows] =", "scores[np.sort(rows)] =",
        "tests/core/test_traps.py::test_scores_come_in_the_order_of_the_documents",
    ),
    Mutation(
        20, "texts of the test split teach the language model", "jobs/import_data.py",
        "lm = ~leaks & (parts != splits.TEST)", "lm = parts >= 0",
        "tests/core/test_dataset.py::test_texts_of_the_test_do_not_teach_the_language_model",
    ),
    Mutation(
        21, "clipping element by element", "training/trainer.py",
        "return nn.utils.clip_grad_norm_(self.parameters, self.settings.clip or math.inf)",
        "return nn.utils.clip_grad_value_(self.parameters, self.settings.clip or math.inf) or self._one",
        "tests/core/test_traps.py::test_clipping_shortens_the_gradient_and_keeps_its_direction",
    ),
    Mutation(
        22, "masks from the process-wide generator", "models/dropout.py", "random_(-(2**63), None, generator=rng)",
        "random_(-(2**63), None)", "tests/core/test_models.py::test_training_leaves_the_process_wide_generator_alone",
    ),
    Mutation(
        23, "a resume takes the threads it finds", "training/trainer.py", "torch.set_num_threads(self.at.threads)",
        "torch.set_num_threads(devices.default_threads())",
        "tests/core/test_traps.py::test_a_resumed_run_computes_with_the_threads_it_began_with",
    ),
)  # fmt: skip


def copy_of_the_tree(folder: Path) -> None:
    for part in PARTS:
        if (ROOT / part).is_dir():
            shutil.copytree(ROOT / part, folder / part, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(ROOT / part, folder / part)


def last_words(folder: Path, tests: Iterable[str]) -> tuple[int, str]:
    """Exit status of pytest in `folder`, stopping at the first failure, and the last line it wrote."""
    command = [sys.executable, "-m", "pytest", "-q", "-x", "--tb=no", "-p", "no:cacheprovider", *tests]
    environment = {**os.environ, "QT_QPA_PLATFORM": "offscreen", "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=600)
    lines = (done.stdout + done.stderr).strip().splitlines()
    return done.returncode, lines[-1] if lines else ""


def try_mutation(folder: Path, mutation: Mutation) -> str:
    """What the test said of the broken code; raises SystemExit where it noticed nothing."""
    path = folder / "ulmfit_core" / mutation.file
    whole = path.read_text(encoding="utf-8")
    if mutation.old not in whole:
        sys.exit(f"Trap {mutation.trap}: {mutation.file} has no longer: {mutation.old}")
    path.write_text(whole.replace(mutation.old, mutation.new), encoding="utf-8")
    status, line = last_words(folder, [mutation.test])
    path.write_text(whole, encoding="utf-8")
    if status != 1:  # 1: tests failed; anything else is no verdict
        sys.exit(f"Trap {mutation.trap}: {mutation.how}, and {mutation.test} ended with {status}: {line}")
    return line


def table(mutations: Iterable[Mutation]) -> str:
    lines = ["| Trap | Broken how | Where | Test that failed |", "|---|---|---|---|"]
    for m in mutations:
        lines.append(f"| {m.trap} | {m.how} | `ulmfit_core/{m.file}` | `{m.test}` |")
    return "\n".join(lines)


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--write", action="store_true", help="put the table into docs/parity.md")
    arguments.add_argument("--only", type=int, nargs="+", help="numbers of traps")
    options = arguments.parse_args()
    chosen = [m for m in MUTATIONS if not options.only or m.trap in options.only]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        copy_of_the_tree(folder)
        status, line = last_words(folder, [m.test for m in chosen])
        if status:
            sys.exit(f"The tests do not pass on the whole code: {line}")
        for mutation in chosen:
            print(f"{mutation.trap:3} {mutation.how}: {try_mutation(folder, mutation)}", flush=True)
    if options.write:
        write_between(PAGE, "mutations", table(chosen))


if __name__ == "__main__":
    main()
