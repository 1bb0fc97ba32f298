"""Data files that ship with the program: icons, themes, the sample project and the starter language model."""

from pathlib import Path


def resource_path(name: str) -> Path:
    """Where a file or folder of this package lies."""
    return Path(__file__).resolve().parent / name
