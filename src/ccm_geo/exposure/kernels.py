"""Loops compiled to machine code, that let other threads run."""

from collections.abc import Callable
from typing import Any

import numba

_NUMBA: dict[str, Any] = {
    "nogil": True,
    "error_model": "numpy",  # no test for division by zero: less to compile
}


def compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    """Compile on first use and keep the result, or compile in each run where nothing can be written."""
    try:
        return numba.njit(cache=True, **_NUMBA)(function)
    except RuntimeError:  # no folder for the cache is writable
        return numba.njit(**_NUMBA)(function)
