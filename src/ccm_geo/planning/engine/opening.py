"""Prices where rows come to light only once they are broken: search, look what is broken, and go on."""

import time

import numpy as np

from ccm_geo.planning.listing import Floats, Mask
from ccm_geo.planning.model import Model

from .arcs import Arcs
from .descent import lowered
from .prices import Answer, Rows, answer, lowest_bound, nothing_below, use_by_key

_FIRST_TRIES, _TRIES = 10, 6  # of each search but the last; rows that are missing still mislead it
_LAST_TRIES = 25  # once the rows are known that are nearly broken
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
    last = False
    while not last and np.isfinite(found.best).all() and time.monotonic() < until:
        before, count = found.bound, model.rows
        model, rows, found = widened(model, arcs, rows, found)
        last = model.rows == count
        found = _lowered(arcs, rows, found, most_tries if last else _TRIES, close, until)
        if found.bound < nothing_below(arcs):
            break
        if not last and before - found.bound < _LITTLE * abs(before):
            model, rows, found = widened(model, arcs, rows, found)
            found, last = _lowered(arcs, rows, found, most_tries, close, until), True
    wider = model.opened_nearly(whole(arcs, found.taken, len(model.allowed)))
    if wider.rows > model.rows:
        rows, prices = Rows.of(wider), model.carried(found.prices, wider)
        found = _lowered(arcs, rows, answer(arcs, rows, prices), _LAST_TRIES, close, until)
    return wider, rows, found


def widened(model: Model, arcs: Arcs, rows: Rows, found: Answer) -> tuple[Model, Rows, Answer]:
    """Lay out the rows that an answer breaks unseen, at prices of 0."""
    wider = model.opened(whole(arcs, found.taken, len(model.allowed)))
    if wider is None or wider.rows == model.rows:
        return model, rows, found
    rows = Rows.of(wider)
    return wider, rows, answer(arcs, rows, model.carried(found.prices, wider))


def whole(arcs: Arcs, taken: Mask, count: int) -> Mask:
    """Turn arcs taken into rows of the listing, of which there are `count`."""
    out = np.zeros(count, bool)
    out[arcs.origin[taken]] = True
    return out


def _lowered(arcs: Arcs, rows: Rows, found: Answer, most_tries: int, close: float, until: float) -> Answer:
    """Go on from prices at hand."""

    def ask(prices: Floats) -> Answer:
        return answer(arcs, rows, rows.allowed(prices))

    wish = abs(rows.pattern).T @ use_by_key(arcs, found.taken, rows.pattern.shape[0])
    return lowered(
        ask,
        found.prices,
        rows.sizes(wish),
        rows.sides,
        most_tries=most_tries,
        close=close,
        until=until,
        enough=nothing_below(arcs),
    )
