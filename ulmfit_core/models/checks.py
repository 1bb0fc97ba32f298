"""What is read of a bundle's files must be what was saved, and what a fit may have left."""

from __future__ import annotations

import hashlib


def content_hash(*contents: bytes) -> str:
    """16 hexadecimal digits of SHA-256: of one file's content, or of the digests of several, one behind the other."""
    digests = [hashlib.sha256(content).digest() for content in contents]
    found = digests[0] if len(digests) == 1 else hashlib.sha256(b"".join(digests)).digest()
    return found.hex()[:16]


def require(holds: bool, otherwise: str) -> None:
    """Raises ValueError saying `otherwise` where it does not hold."""
    if not holds:
        raise ValueError(otherwise)
