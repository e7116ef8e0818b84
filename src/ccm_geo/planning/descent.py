"""Lowers a convex bound over prices from prices at hand, with a push away from the kinks where it stops."""

import contextlib
import time
from collections.abc import Callable, Sequence
from typing import Any, Protocol, TypeVar

import numpy as np
from scipy import optimize

from .listing import Floats

_PUSH = 0.02  # how far a new round begins from the best point, as a share of each price


class Bound(Protocol):
    """A value of the bound with its slope, at some prices."""

    @property
    def prices(self) -> Floats:
        """Where it was asked."""

    @property
    def bound(self) -> float:
        """The bound there."""

    @property
    def slope(self) -> Floats:
        """How it changes with the prices."""


B = TypeVar("B", bound=Bound)


def lowered(
    ask: Callable[[Floats], B],
    prices: Floats,
    size: Floats,
    sides: Sequence[tuple[float | None, float | None]],
    *,
    most_tries: int,
    close: float,
    until: float,
) -> B:
    """Lower a bound by L-BFGS-B, in rounds.

    Parameters
    ----------
    ask
        Gives bound and slope at prices.
    prices
        Where to begin.
    size
        How large the row of each price is; the search goes by price times size.
    sides
        Between what each price may lie.
    most_tries
        How often to ask.
    close
        Stop where a round lowers the bound by less than this share.
    until
        When to stop, by the monotonic clock.
    """
    tries, best = 0, ask(prices)
    if not len(prices):
        return best
    chance = np.random.default_rng(0)

    def told(scaled: Floats) -> tuple[float, Floats]:
        nonlocal best, tries
        tries += 1
        found = ask(scaled / size)
        if found.bound < best.bound:
            best = found
        if time.monotonic() > until or tries >= most_tries:
            raise _EnoughError
        return found.bound, found.slope / size

    knobs: dict[str, Any] = {
        "maxcor": 30,
        "ftol": close / 100,
        "gtol": 1e-12,
        "maxfun": 10**6,
        "maxiter": 10**6,
    }
    with contextlib.suppress(_EnoughError):
        before, push = np.inf, 0.0
        while before - best.bound > close * abs(best.bound):
            before = best.bound
            start = best.prices * size * (1 + push * chance.standard_normal(len(size)))
            optimize.minimize(told, start, jac=True, method="L-BFGS-B", bounds=sides, options=knobs)
            push = _PUSH
    return best


class _EnoughError(Exception):
    """Ends a search from inside the function that it asks."""
