"""Prices where rows come to light only once they are broken: search, look what is broken, and go on."""

import time

import numpy as np

from ccm_geo.planning.listing import Floats, Mask
from ccm_geo.planning.model import Model

from .arcs import Arcs
from .descent import lowered
from .prices import Answer, Rows, answer, lowest_bound, nothing_below, use_by_key

_FIRST_TRIES, _TRIES = 10, 6  # of each search but the last; rows that are missing still mislead it
_CLOSER = 0.3  # of how near to the lowest bound is near enough: good prices leave plans few rows to break
_LITTLE = 1e-5  # share of the bound that rows must bring it down by, or the last search begins


def opened_bound(
    model: Model, arcs: Arcs, *, most_tries: int, close: float, seconds: float
) -> tuple[Model, Rows, Answer]:
    """Look for the prices at which the bound is lowest, laying out rows as they are broken.

    Parameters
    ----------
    model
        Options and rules.
    arcs
        Options still in play.
    most_tries, close, seconds
        As in `lowest_bound`.

    Returns
    -------
    tuple
        The model with the rows that came to light, its rows, and what the hazards do at the best prices.
    """
    rows = Rows.of(model)
    if not model.hides:
        return model, rows, lowest_bound(arcs, rows, most_tries=most_tries, close=close, seconds=seconds)
    until = time.monotonic() + seconds
    found = lowest_bound(arcs, rows, most_tries=_FIRST_TRIES, close=_LITTLE, seconds=seconds)
    before, last = np.inf, False
    while not last and np.isfinite(found.best).all() and time.monotonic() < until:
        wider = model.opened(whole(arcs, found.taken, len(model.allowed)))
        grown = wider is not None and wider.rows > model.rows
        last = not grown or before - found.bound < _LITTLE * abs(found.bound)
        wider = wider or model
        if last:
            wider = wider.opened_nearly(whole(arcs, found.taken, len(model.allowed)))
        before, prices = found.bound, model.carried(found.prices, wider)
        model, rows = wider, Rows.of(wider)
        tries = most_tries if last else _TRIES
        found = _lowered(arcs, rows, prices, tries, _CLOSER * close, until)
        if found.bound < nothing_below(arcs):
            break
    return model, rows, found


def whole(arcs: Arcs, taken: Mask, count: int) -> Mask:
    """Turn arcs taken into rows of the listing, of which there are `count`."""
    out = np.zeros(count, bool)
    out[arcs.origin[taken]] = True
    return out


def _lowered(arcs: Arcs, rows: Rows, prices: Floats, most_tries: int, close: float, until: float) -> Answer:
    """Go on from prices at hand."""

    def ask(prices: Floats) -> Answer:
        return answer(arcs, rows, rows.allowed(prices))

    every = use_by_key(arcs, np.ones(len(arcs.benefit), bool), rows.pattern.shape[0])
    return lowered(
        ask,
        prices,
        rows.sizes(np.asarray(abs(rows.pattern).T @ every)),
        rows.sides,
        most_tries=most_tries,
        close=close,
        until=until,
        enough=nothing_below(arcs),
    )
