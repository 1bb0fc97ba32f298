"""What pretraining and fine-tuning share: a language model over a stream of documents, as a stage of the trainer."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ulmfit_core import device as devices
from ulmfit_core import events
from ulmfit_core.config import LanguageModelSettings, planned_phases
from ulmfit_core.data import batches
from ulmfit_core.data.batches import IGNORED, Documents, LanguageBatches, LanguageEpoch
from ulmfit_core.inference.generate import continue_text
from ulmfit_core.models.awd_lstm import State, detach
from ulmfit_core.models.dropout import unknown_noise
from ulmfit_core.models.language_model import LanguageModel, activation_penalty
from ulmfit_core.run import Run
from ulmfit_core.text.vocab import Vocabulary
from ulmfit_core.training.metrics import HIGHER_IS_BETTER, perplexity
from ulmfit_core.training.regularisation import dropouts_at, noise_at, ordinary_tokens
from ulmfit_core.training.stage import Differentiate, StepResult


class LanguageModelStage:
    """Next-token prediction, the hidden state carried from window to window within an epoch."""

    def __init__(
        self, name: str, settings: LanguageModelSettings, model: LanguageModel, vocab: Vocabulary,
        train: Documents, valid: Documents,
    ):  # fmt: skip
        self.name = name
        self.settings = settings
        self.model = model
        self.best_metric = settings.keep_best_by
        self.higher_is_better = HIGHER_IS_BETTER[self.best_metric]
        self._vocab = vocab
        self._device = model.encoder.embedding.device
        devices.number_format(self._device, settings.precision)  # refuse what this device cannot before any work
        self._ordinary = ordinary_tokens(vocab, self._device)
        batch, bptt = batches.language_window(train.tokens, self._device.type != "cpu")
        batch, bptt = settings.batch_size or batch, settings.bptt or bptt
        by_epoch = batches.windows_of_phases(planned_phases(settings, len(self.groups())), bptt)
        self._train = LanguageBatches(
            train, batch * settings.accumulate, bptt, seed=settings.seed, variable=settings.variable_bptt,
            by_epoch=by_epoch,
        )  # fmt: skip
        self._valid = LanguageBatches(valid, batch, bptt, seed=settings.seed, train=False)
        self._pass_rows = batch
        self._pass_tokens = settings.tokens_per_pass or devices.tokens_per_pass(self._device)
        self._steps: dict[int, int] = {}
        self._current: tuple[int, LanguageEpoch] | None = None
        self.set_progress(0.0)

    def groups(self) -> list[tuple[str, list[nn.Parameter]]]:
        return self.model.groups()

    def steps_of_epoch(self, epoch: int) -> int:
        if epoch not in self._steps:
            self._steps[epoch] = len(self._train.windows(epoch))
        return self._steps[epoch]

    def tokens_of_epoch(self, epoch: int) -> int:
        return int(self._train.windows(epoch).sum()) * self._train.batch

    def begin_epoch(self, epoch: int) -> State:
        return self.model.encoder.initial_state(self._train.batch)

    def set_progress(self, share: float) -> None:
        self.model.encoder.set_dropouts(dropouts_at(self.settings, share))
        self._noise = noise_at(self.settings, share)

    def backward(
        self, epoch: int, index: int, state: State, rng: torch.Generator, poll: Callable[[], object],
        differentiate: Differentiate,
    ) -> StepResult:  # fmt: skip
        """One window, in as many passes over rows of the batch as `accumulate` and `tokens_per_pass` ask for.

        All rows of a window have the same length, so passes weighted by their rows add up to the whole
        batch's gradient, penalties included.
        """
        inputs, targets = (torch.from_numpy(part).to(self._device) for part in self._epoch(epoch)[index])
        batch, length = inputs.shape
        rows = max(1, min(self._pass_rows, self._pass_tokens // length))
        states: list[State] = []
        total = 0.0
        for start in range(0, batch, rows):
            poll()
            part = slice(start, min(batch, start + rows))
            share = (part.stop - part.start) / batch
            loss, objective, new_state = self._pass(inputs[part], targets[part], _rows(state, part), rng)
            differentiate(objective * share)
            total += float(loss) * share
            states.append(detach(new_state))
        return StepResult(total, batch * length, batch * length, length / self._train.bptt_of(epoch), _joined(states))

    def _pass(
        self, inputs: Tensor, targets: Tensor, state: State, rng: torch.Generator
    ) -> tuple[Tensor, Tensor, State]:
        """Loss per token, what is differentiated (with AR and TAR), and the new state."""
        inputs = unknown_noise(inputs, self._ordinary, self._vocab.unk, self._noise, rng)
        with devices.autocast(self._device, self.settings.precision):
            output = self.model(inputs, state, rng)
        loss = F.cross_entropy(output.logits.float().flatten(0, 1), targets.flatten())
        penalty = activation_penalty(output, self.settings.alpha, self.settings.beta)
        return loss.detach(), loss + penalty, output.state

    def validate(self, run: Run) -> dict[str, float]:
        """Loss per token, perplexity and next-token accuracy over every token of the validation text."""
        epoch = self._valid.epoch(0)
        state = self.model.encoder.initial_state(self._valid.batch)
        loss, right, count = 0.0, 0, 0
        for index in run.track(range(len(epoch)), "Validating"):
            inputs, targets = (torch.from_numpy(part).to(self._device) for part in epoch[index])
            output = self.model(inputs, state)
            state, logits = output.state, output.logits.float().flatten(0, 1)
            loss += float(F.cross_entropy(logits, targets.flatten(), reduction="sum"))
            known = targets.flatten() != IGNORED
            right += int((logits.argmax(1) == targets.flatten())[known].sum())
            count += int(known.sum())
        mean = loss / count if count else math.nan
        return {"valid_loss": mean, "perplexity": perplexity(mean), "next_word_accuracy": right / max(1, count)}

    def after_epoch(self, epoch: int, run: Run) -> None:
        text = continue_text(self.model, self._vocab, "", words=25, seed=self.settings.seed * 1000 + epoch)
        run.emit(events.SampleText(epoch, "", text))

    def _epoch(self, epoch: int) -> LanguageEpoch:
        if self._current is None or self._current[0] != epoch:
            self._current = (epoch, self._train.epoch(epoch))
        return self._current[1]


def _rows(state: State, part: slice) -> State:
    return [(h[:, part].contiguous(), c[:, part].contiguous()) for h, c in state]


def _joined(states: list[State]) -> Any:
    if len(states) == 1:
        return states[0]
    layers = zip(*states, strict=True)
    return [(torch.cat([h for h, _ in layer], 1), torch.cat([c for _, c in layer], 1)) for layer in layers]


def held_out(
    count: int, lengths: np.ndarray, seed: int, share: float, most_tokens: int
) -> tuple[np.ndarray, np.ndarray]:
    """Split `count` documents by number into (training, validation): `share` of them, at most `most_tokens` tokens."""
    order = np.random.default_rng([seed, count]).permutation(count)
    wanted = max(1, round(count * share))
    within = int(np.searchsorted(np.cumsum(lengths[order]), most_tokens)) + 1
    cut = min(wanted, within, count - 1)
    return np.sort(order[cut:]), np.sort(order[:cut])
