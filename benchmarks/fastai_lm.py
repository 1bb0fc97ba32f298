"""fastai's side of a comparison: its own learner, loop, callbacks and text loader, in slices (`peers.py` says how).

Runs in a Python that has fastai and imports nothing of this program. The task: sizes (`vocabulary`, `embedding`,
`hidden`, `layers`), `batch`, `window`, `train` and `valid` (folders of token ids), `folder`, `seed`; where they are
given `drops` (by fastai's names), `drop_mult`, `rate`, `schedule`, `weight_decay`, `clip`; fastai's defaults otherwise.
`find_rate` asks for the rate that its finder suggests; `half` trains in float16. With `budget` the schedule follows the
seconds of work and ends with them, instead of with the batches.
"""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import fastai
import numpy as np
import torch
from columns import windows
from fastai.callback.core import Callback
from fastai.callback.schedule import ParamScheduler, SchedCos, SchedLin, SchedNo, combine_scheds
from fastai.callback.training import GradientClip
from fastai.data.core import DataLoaders
from fastai.text.data import LMDataLoader, TensorText
from fastai.text.learner import LMLearner, language_model_learner
from fastai.text.models.awdlstm import AWD_LSTM, awd_lstm_lm_config
from peers import Answer, Slices
from torch.nn import functional as F


class Documents:
    """Token ids in memory-mapped files, as the items that fastai's loader of language models reads."""

    def __init__(self, folder: Path):
        meta = json.loads((folder / "tokens.json").read_text())
        self.ids = np.memmap(folder / "ids.bin", np.dtype(meta["dtype"]), "r")
        self.offsets = np.load(folder / "offsets.npy", mmap_mode="r")

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def __getitem__(self, number: int) -> tuple[TensorText]:
        ids = self.ids[self.offsets[number] : self.offsets[number + 1]]
        return (TensorText(torch.from_numpy(ids.astype(np.int64))),)

    def loader(self, task: dict[str, Any], **options: Any) -> LMDataLoader:
        device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        lengths = np.diff(self.offsets).tolist()
        return LMDataLoader(self, lengths, bs=task["batch"], seq_len=task["window"], device=device, **options)


def new_learner(task: dict[str, Any]) -> LMLearner:
    texts = [Documents(Path(task[name])) for name in ("train", "valid")]
    loaders = DataLoaders(texts[0].loader(task, shuffle=True), texts[1].loader(task))
    loaders.vocab = range(task["vocabulary"])
    sizes = {"emb_sz": task["embedding"], "n_hid": task["hidden"], "n_layers": task["layers"]}
    config = {**awd_lstm_lm_config, **sizes, **task.get("drops", {})}
    clip = [GradientClip(task["clip"])] if task.get("clip") else []
    learn = language_model_learner(
        loaders, AWD_LSTM, config=config, drop_mult=task.get("drop_mult", 1.0), pretrained=False,
        wd=task.get("weight_decay"), path=Path(task["folder"]), cbs=clip,
    )  # fmt: skip
    return learn.to_fp16() if task.get("half") else learn


class Turns(Callback):
    """Waits for its turn before each batch. The share of the time that has gone stands for that of the batches."""

    order, run_valid = -20, False

    def __init__(self, slices: Slices, budget: float | None):
        self.slices, self.budget = slices, budget

    def before_batch(self) -> None:
        self.slices.wait()
        if self.budget:
            self.learn.pct_train = min(1.0, self.slices.seconds() / self.budget)

    def after_batch(self) -> None:
        self.slices.count(self.yb[0].numel(), self.learn.loss.detach())


def fit(learn: LMLearner, task: dict[str, Any], turns: Turns) -> None:
    """One epoch under the schedule of the task, with fastai's own way of fitting where it has one for it."""
    schedule = task.get("schedule") or {"name": "one_cycle"}
    rate = task.get("rate")
    if schedule["name"] == "one_cycle":
        learn.fit_one_cycle(1, rate, pct_start=schedule.get("pct_start", 0.25), cbs=turns)
    elif schedule["name"] == "flat_anneal":
        learn.fit_flat_cos(1, rate, pct_start=schedule["flat_share"], cbs=turns)
    else:
        learn.fit(1, rate, cbs=[ParamScheduler({"lr": curve(schedule, rate)}), turns])


def curve(schedule: dict[str, Any], rate: float) -> Any:
    """A schedule that fastai has no fit_… for, put together from its parts."""
    if schedule["name"] == "slanted":
        low, cut = rate / schedule["ratio"], schedule["cut_frac"]
        return combine_scheds([cut, 1 - cut], [SchedLin(low, rate), SchedLin(rate, low)])
    return {"cosine": SchedCos(rate, 0.0), "constant": SchedNo(rate, rate)}[schedule["name"]]


def validate(learn: LMLearner, task: dict[str, Any]) -> Answer:
    """Loss per token over the validation text, in the middle of an epoch, which then goes on as it was."""
    model, encoder = learn.model.eval(), learn.model[0]
    kept = encoder.hidden, encoder.bs
    model.reset()
    ids, device = np.asarray(Documents(Path(task["valid"])).ids), next(model.parameters()).device
    loss = 0.0
    with torch.no_grad():
        for window in windows(ids, *task["valid_window"]):
            inputs, targets = (torch.from_numpy(part).to(device) for part in window)
            scores = model(inputs)[0]
            loss += F.cross_entropy(scores.flatten(0, 1), targets.flatten(), reduction="sum").item()
    encoder.hidden, encoder.bs = kept
    model.train()
    return {"loss": loss / (len(ids) - 1)}


def main() -> None:
    slices = Slices()
    task = slices.task()
    random.seed(task["seed"])
    torch.manual_seed(task["seed"])
    learn = new_learner(task)
    facts = {"torch": torch.__version__, "fastai": fastai.__version__, "device": learn.dls.device.type}
    facts["precision"] = "float16" if task.get("half") else "float32"
    facts["parameters"] = sum(p.numel() for p in learn.model.parameters() if p.requires_grad)
    with learn.no_bar(), learn.no_logging():
        if task.get("find_rate"):
            facts["suggested"] = float(learn.lr_find(show_plot=False).valley)
        slices.ready({"validate": lambda: validate(learn, task)}, **facts)
        fit(learn, task, Turns(slices, task.get("budget")))
    slices.answer(ended="The text was read to its end before the time was over.")


if __name__ == "__main__":
    main()
