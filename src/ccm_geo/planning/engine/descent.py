"""Lowers a convex bound over prices: along one direction, and from prices at hand in all of them."""

import contextlib
import time
from collections.abc import Callable, Sequence
from typing import Any, Protocol, TypeVar

import numpy as np
from scipy import optimize

from ccm_geo.planning.listing import Floats

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
    enough: float = -np.inf,
) -> B:
    """Lower a bound by L-BFGS-B, in rounds; each begins a push away from the kink where the one before ended.

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
    enough
        Stop at a bound below this one.
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
        if time.monotonic() > until or tries >= most_tries or best.bound < enough:
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


def along(
    ask: Callable[[Floats], B],
    start: B,
    ray: Floats,
    *,
    until: float,
    halvings: int = 60,
    close: float = 1.01,
) -> B:
    """Find the lowest bound along a direction of prices, by halving.

    Parameters
    ----------
    ask
        Gives bound and slope at prices.
    start
        What it gives at prices of 0.
    ray
        The direction.
    until
        When to stop, by the monotonic clock.
    halvings
        How often to ask at most.
    close
        Stop where the price is known up to this factor.
    """
    best, low, high = start, 0.0, max(start.bound, 1e-300)
    for _ in range(halvings if ray.any() else 0):
        middle = np.sqrt(low * high) if low > 0 else high / 64
        found = ask(middle * ray)
        best = min(best, found, key=lambda f: f.bound)
        if float(ray @ found.slope) < 0:
            low = middle
        else:
            high = middle
        if (low > 0 and high < close * low) or time.monotonic() > until:
            break
    return best


class _EnoughError(Exception):
    """Ends a search from inside the function that it asks."""
