"""The rate of matrix multiplication by itself, in slices (`peers.py` says how): what a training could reach at best.

The task: `shape` (rows, inner, columns) of the product and its `format` (float32, bfloat16, float16).
"""

from __future__ import annotations

import torch
from peers import Slices
from torch.nn import functional as F

from ulmfit_core.device import best_device


def main() -> None:
    slices = Slices()
    task = slices.task()
    rows, inner, columns = task["shape"]
    options = {"dtype": getattr(torch, task["format"]), "device": best_device()}
    features, weight = torch.ones(rows, inner, **options), torch.ones(columns, inner, **options)
    slices.ready({}, torch=torch.__version__, device=options["device"].type)
    operations = 2 * rows * inner * columns
    with torch.inference_mode():
        while True:
            slices.wait()
            F.linear(features, weight)
            slices.count(operations)


if __name__ == "__main__":
    main()
