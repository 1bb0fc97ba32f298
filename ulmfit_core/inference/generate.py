"""Text written by a language model, token by token: a check that one can read."""

from __future__ import annotations

from pathlib import Path

import torch

from ulmfit_core.errors import UserError
from ulmfit_core.models import bundle as bundles
from ulmfit_core.models.language_model import LanguageModel
from ulmfit_core.text.vocab import Vocabulary

# A word of a subword vocabulary is seldom longer than this many pieces.
PIECES_PER_WORD = 6


@torch.inference_mode()
def continue_text(
    model: LanguageModel, vocab: Vocabulary, prompt: str, words: int = 30, temperature: float = 0.8, seed: int = 0
) -> str:
    """`prompt` continued by about `words` words. Draws from a generator of its own, so training is not touched.

    Unknown and padding tokens are never written; temperature 0 always takes the likeliest token.
    """
    device = model.encoder.embedding.device
    rng = torch.Generator().manual_seed(seed)
    written = [int(i) for i in vocab.encode([prompt])[0]]
    ids = torch.tensor([written], device=device)
    state = model.encoder.initial_state(1)
    for _ in range(words * PIECES_PER_WORD):
        output = model(ids, state)
        state = output.state
        written.append(_draw(output.logits[0, -1].float().cpu(), temperature, rng, (vocab.unk, vocab.pad)))
        if written[-1] == vocab.bos or len(vocab.decode(written).split()) > words + len(prompt.split()):
            break
        ids = torch.tensor([written[-1:]], device=device)
    return vocab.decode(written[:-1])


def _draw(logits: torch.Tensor, temperature: float, rng: torch.Generator, forbidden: tuple[int, ...]) -> int:
    logits[list(forbidden)] = float("-inf")
    if temperature <= 0:
        return int(logits.argmax())
    return int(torch.multinomial((logits / temperature).softmax(0), 1, generator=rng))


class Generator:
    """A saved language model, ready to write."""

    def __init__(self, model: LanguageModel, vocab: Vocabulary):
        self._model = model
        self._vocab = vocab

    @classmethod
    def load(cls, folder: Path) -> Generator:
        """Open a bundle. Raises UserError if it holds no language model."""
        bundle = bundles.load(folder)
        if not isinstance(bundle.model, LanguageModel):
            raise UserError(f"{folder} holds a classifier, which cannot write text. Choose a language model.")
        return cls(bundle.model, bundle.vocab)

    def generate(self, prompt: str, words: int = 30, temperature: float = 0.8, seed: int = 0) -> str:
        return continue_text(self._model, self._vocab, prompt, words, temperature, seed)
