"""Loops that Python is too slow for, compiled by Numba as they stand.

They work on arrays in a fixed order, so that the same log gives the same bits.
"""

from collections.abc import Callable
from typing import Any, TypeVar, cast

from numba import njit

Loop = TypeVar("Loop", bound=Callable[..., Any])


def compiled(loop: Loop) -> Loop:
    """Return a loop compiled to machine code, kept beside its source for the next start."""
    return cast(Loop, njit(cache=True)(loop))
