"""fastai's side of the comparison of prediction: its own learner with given weights (`predict.py`).

Runs in a Python that has fastai and imports nothing of this program. The task: `bundle` (a folder of ours with words
and weights), `texts`, `clock`; commands and answers are those of `engine_predict.py`. One text goes through
`learn.predict`, a list through `learn.dls.test_dl` and `learn.get_preds`; where only the network is asked, the loader's
batches are there before. No progress bar is drawn.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import fastai
import pandas as pd
import torch
from fastai.text.data import TextDataLoaders
from fastai.text.learner import text_classifier_learner
from fastai.text.models.awdlstm import AWD_LSTM, awd_lstm_clas_config
from peers import Answer, Slices, timed
from safetensors.torch import load_file

Lists = dict[str, list[str]]
HEAD = {"1.layers.0.0": "norm1", "1.layers.0.2": "linear1", "1.layers.1.0": "norm2", "1.layers.1.2": "linear2"}


def new_learner(bundle: Path, texts: list[str]) -> Any:
    """Made with a few rows of its own; words, labels, sizes and weights are the bundle's."""
    record = json.loads((bundle / "model.json").read_text(encoding="utf-8"))
    labels, network = record["labels"], record["network"]
    words = json.loads((bundle / "words.json").read_text(encoding="utf-8"))
    rows = pd.DataFrame({"text": (texts * 8)[: 8 * len(labels)], "label": labels * 8})
    loaders = TextDataLoaders.from_df(
        rows, text_col="text", label_col="label", text_vocab=words, valid_pct=0.5, seed=1, num_workers=0,
        device=torch.device("cpu"),
    )  # fmt: skip
    sizes = {"emb_sz": network["embedding"], "n_hid": network["hidden"], "n_layers": network["layers"]}
    learn = text_classifier_learner(loaders, AWD_LSTM, config={**awd_lstm_clas_config, **sizes}, pretrained=False)
    assert list(loaders.vocab[0]) == words and list(loaders.vocab[1]) == labels
    learn.model.load_state_dict(weights(load_file(bundle / "weights.safetensors")))
    learn.model.eval()
    return learn


def weights(ours: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Our weights by fastai's names."""
    table = ours["encoder.embedding"]
    theirs = {"0.module.encoder.weight": table, "0.module.encoder_dp.emb.weight": table}
    for name, value in ours.items():
        part, _, rest = name.partition(".")
        if part == "encoder" and rest.startswith("layers."):
            _, number, kind = rest.split(".")
            place = f"0.module.rnns.{number}"
            hidden = kind == "weight_hh"
            theirs[f"{place}.weight_hh_l0_raw" if hidden else f"{place}.module.{kind}_l0"] = value
    for place, own in HEAD.items():
        theirs |= {f"{place}.{key.split('.')[-1]}": value for key, value in ours.items() if f".{own}." in f".{key}"}
    return theirs


def commands(learn: Any, texts: Lists, clock: str) -> dict[str, Callable[[], Answer]]:
    made: dict[str, Callable[[], Answer]] = {
        "told": lambda: {"told": [learn.predict(text)[2].tolist() for text in texts["one"]]}
    }
    for name, found in texts.items():
        one = name == "one"
        whole = [partial(learn.predict, text) for text in found] if one else [partial(predict_list, learn, found)]
        parts = [[text] for text in found] if one else [found]
        ready = [partial(forward, learn, batches_of(learn, part)) for part in parts]
        made |= {name: partial(timed, clock, whole), f"{name}_read": partial(timed, clock, ready)}
    return made


def predict_list(learn: Any, texts: list[str]) -> Any:
    return learn.get_preds(dl=learn.dls.test_dl(texts))


@torch.no_grad()
def forward(learn: Any, batches: list[torch.Tensor]) -> None:
    for batch in batches:
        learn.model(batch)[0].softmax(-1)


def batches_of(learn: Any, texts: list[str]) -> list[torch.Tensor]:
    return [batch[0] for batch in learn.dls.test_dl(texts)]


def main() -> None:
    slices = Slices()
    task = slices.task()
    texts: Lists = json.loads(Path(task["texts"]).read_text(encoding="utf-8"))
    learn = new_learner(Path(task["bundle"]), texts["one"])
    with learn.no_bar(), learn.no_logging():
        made = commands(learn, texts, task["clock"])
        counted = {name: sum(len(learn.dls.test_dl(found).dataset[i][0]) for i in range(len(found)))
                   for name, found in texts.items()}  # fmt: skip
        slices.ready(made, torch=torch.__version__, fastai=fastai.__version__, tokens=counted)
        slices.wait()


if __name__ == "__main__":
    main()
