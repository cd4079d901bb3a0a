"""Identifiers: derived from content wherever the same thing may be seen twice."""

import hashlib
import secrets
from typing import Protocol


def derive_id(prefix: str, *parts: object) -> str:
    """Return ``prefix_`` and 20 hex digits that depend on nothing but ``parts``.

    Used for incidents, alarms, facts and actions: a replay or a retry arrives at the same id.
    """
    text = "\x1f".join(str(part) for part in parts)
    return f"{prefix}_{hashlib.blake2b(text.encode(), digest_size=10).hexdigest()}"


class IdSource(Protocol):
    """Gives identifiers to things that have no natural one."""

    def new(self, prefix: str) -> str:
        """Return an identifier that was never given before."""
        ...


class RandomIds:
    """Identifiers nobody can guess, from the operating system's random source."""

    def new(self, prefix: str) -> str:
        """Return ``prefix_`` and 20 random hex digits."""
        return f"{prefix}_{secrets.token_hex(10)}"


class CountingIds:
    """Identifiers that count up; for tests."""

    def __init__(self) -> None:
        self.count = 0

    def new(self, prefix: str) -> str:
        """Return ``prefix_`` and the next number."""
        self.count += 1
        return f"{prefix}_{self.count}"
