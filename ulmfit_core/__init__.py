"""ULMFiT, whole and exact: language model, fine-tuning on the target text, classifier. Knows no window."""

__version__ = "0.1.0"
