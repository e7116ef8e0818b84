"""Several futures at once: shared first years, then every scenario by itself; and a bound over all of them.

Given prices for the rows of every scenario, each hazard finds its best tree by itself: a path through the
shared years and from there a path for each scenario (`_trees`). For any prices, and any weights of
the scenarios that the objective admits, the sum is an upper bound on what any plan can expect.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from ccm_geo.planning.engine.arcs import Arcs
from ccm_geo.planning.engine.descent import lowered
from ccm_geo.planning.engine.prices import Answer, Rows, answer, lowest_bound, too_large, walk
from ccm_geo.planning.listing import Floats, Ints, Mask
from ccm_geo.planning.model import Model

from . import _trees as _scenarios

_ALONE_TRIES = 100  # price searches of each scenario by itself, where those of all begin
_TOGETHER_TRIES = 250
_FEW = 2_000  # options; below, a matrix is exact and prices need not be
_FEW_TRIES = 40
_CLOSE = 1e-5
_SHARINGS = 8  # rounds in which bonuses of groups are shared out anew among their hazards
_HOLDS = 4  # rounds of the search for weights, each with a firmer hold on their sum


@dataclass(frozen=True, kw_only=True)
class Aim:
    """What is maximized: ``(1 - worst) * expected + worst * mean of the worst share alpha``."""

    chance: Floats
    worst: float
    alpha: float

    def tail(self, values: Floats) -> float:
        """Mean of the worst share of probability (conditional value at risk, of a benefit)."""
        return float(self.tail_weights(values) @ values)

    def tail_weights(self, values: Floats) -> Floats:
        """Put as much weight on the worst scenarios as their probability allows."""
        order = np.argsort(values, kind="stable")
        before = np.concatenate([[0.0], np.cumsum(self.chance[order])[:-1]])
        out = np.zeros(len(values))
        out[order] = np.clip(self.alpha - before, 0.0, self.chance[order]) / self.alpha
        return out / out.sum()

    def of(self, values: Floats) -> float:
        """Value of what the scenarios avert."""
        return (1 - self.worst) * float(self.chance @ values) + self.worst * self.tail(values)


@dataclass(frozen=True, kw_only=True)
class Futures:
    """The same options under the rules of several scenarios.

    Parameters
    ----------
    models
        One for each scenario; options that break a limit by themselves are ruled out. Rules differ in
        limits only.
    arcs
        The options in play, those of shared years first within each hazard.
    shared
        Which arcs are decided before the money is known.
    split
        Where each hazard's later arcs begin.
    rows
        Rows of each scenario, the same ones with other limits.
    once
        Rows that hold shared arcs only; their limits are the tightest of all scenarios.
    able
        Which arcs can be taken in each scenario, shape ``(scenarios, arcs)``.
    known_from
        First year that is not shared.
    """

    models: tuple[Model, ...]
    arcs: Arcs
    shared: Mask = field(repr=False)
    split: Ints = field(repr=False)
    rows: tuple[Rows, ...] = field(repr=False)
    once: Mask = field(repr=False)
    able: Mask = field(repr=False)
    known_from: int

    @classmethod
    def of(cls, models: Sequence[Model], known_from: int) -> "Futures":
        """Lay the scenarios side by side."""
        arcs, rows = Arcs.of(models[0]), [Rows.of(model) for model in models]
        shared = models[0].listing.year[arcs.origin] < known_from
        once = _only_shared(arcs, rows, shared)
        lower = np.max([r.lower for r in rows], axis=0)
        upper = np.min([r.upper for r in rows], axis=0)
        tight = [
            replace(r, lower=np.where(once, lower, r.lower), upper=np.where(once, upper, r.upper))
            for r in rows
        ]
        fits = np.array([~too_large(arcs, r) for r in tight])
        able = np.array(fits, dtype=bool)
        able[:, shared] = fits[:, shared].all(axis=0)
        narrow = []
        for model, own in zip(models, able, strict=True):
            allowed = model.allowed.copy()
            allowed[arcs.origin[~own]] = False
            narrow.append(replace(model, allowed=allowed))
        return cls(
            models=tuple(narrow),
            arcs=arcs,
            shared=shared,
            split=arcs.first[:-1] + np.bincount(arcs.hazard[shared], minlength=len(arcs.start)),
            rows=tuple(tight),
            once=once,
            able=able,
            known_from=known_from,
        )

    @property
    def keys(self) -> int:
        """How many keys there are, with "none"."""
        return int(self.rows[0].pattern.shape[0])

    @property
    def sizes(self) -> tuple[int, int]:
        """How many rows stand once, and how many in every scenario."""
        once = int(self.once.sum())
        return once, len(self.once) - once

    def spread(self, flat: Floats) -> Floats:
        """Lay prices out as ``(scenarios, rows)``; those of rows that stand once are in the first."""
        once, other = self.sizes
        out = np.zeros((len(self.models), len(self.once)))
        out[0, self.once] = flat[:once]
        out[:, ~self.once] = flat[once:].reshape(len(self.models), other)
        return out

    def flat(self, spread: Floats) -> Floats:
        """Put what stands in ``(scenarios, rows)`` in one line; rows that stand once add up."""
        return np.concatenate([spread[:, self.once].sum(axis=0), spread[:, ~self.once].ravel()])

    def whole(self, taken: Mask) -> Mask:
        """Turn arcs taken into rows of the listing."""
        out = np.zeros(len(self.models[0].listing.benefit), bool)
        out[self.arcs.origin[taken]] = True
        return out

    def worth(self, chosen: Mask) -> float:
        """Add up what rows of the listing bring."""
        return self.arcs.worth(chosen[self.arcs.origin])


def _only_shared(arcs: Arcs, rows: Sequence[Rows], shared: Mask) -> Mask:
    """Say which rows hold arcs of shared years only, and are the same rows in all scenarios."""
    later = np.zeros(rows[0].pattern.shape[0])
    for key, coef in zip(arcs.keys, arcs.coefs, strict=True):
        later[key[~shared & (coef != 0)]] = 1.0
    later[-1] = 0.0
    same = np.ones(rows[0].pattern.shape[1], bool)
    for other in rows[1:]:
        same &= np.asarray(abs(other.pattern - rows[0].pattern).sum(axis=0)).ravel() == 0
    out: Mask = (np.asarray(abs(rows[0].pattern).T @ later) == 0) & same
    return out


@dataclass(frozen=True, kw_only=True)
class Reply:
    """What the hazards do at given prices and weights.

    `prices` are flat; `taken` has shape ``(scenarios + 1, arcs)``, the shared years last; `slope` is that of
    the bound over the prices, `gains` what each scenario promises; `onward` is what each state is worth after
    the shared years, shape ``(hazards, states)``; `most` is what arcs promise in each scenario.
    """

    prices: Floats = field(repr=False)
    weight: Floats
    bound: float
    taken: Mask = field(repr=False)
    best: Floats = field(repr=False)
    slope: Floats = field(repr=False)
    gains: Floats
    onward: Floats = field(repr=False)
    most: Floats = field(repr=False)


def asked(futures: Futures, prices: Floats, weight: Floats, most: Floats) -> Reply:
    """Let every hazard take its best tree at these prices, with these weights of the scenarios.

    Parameters
    ----------
    futures
        Options and rules.
    prices
        Of all rows, flat.
    weight
        Of each scenario; they add up to 1.
    most
        What each arc promises in each scenario, shape ``(scenarios, arcs)``; see `promises`.
    """
    arcs, scenes, keys = futures.arcs, len(weight), futures.keys
    spread = futures.spread(prices)
    by_key = np.zeros((scenes + 1, keys))
    for z, row in enumerate(futures.rows):
        by_key[z] = row.pattern @ spread[z]
    by_key[scenes] = by_key[:scenes].sum(axis=0)
    by_key[:, -1] = 0.0
    gain = np.empty((scenes + 1, len(arcs.benefit)))
    np.multiply(weight[:, None], most, out=gain[:scenes])
    gain[scenes] = gain[:scenes].sum(axis=0)
    gain[:scenes][~futures.able] = -np.inf
    gain[scenes, ~futures.able[0]] = -np.inf
    states = 1 + int(max(arcs.src.max(initial=0), arcs.dst.max(initial=0), arcs.start.max(initial=0)))
    taken = np.zeros((scenes + 1, len(arcs.benefit)), bool)
    best, use = np.empty(len(arcs.start)), np.zeros((scenes + 1, keys))
    onward = np.empty((len(arcs.start), states))
    _scenarios.best_trees(
        arcs.first, futures.split, arcs.start, arcs.low, arcs.marks, arcs.must, arcs.year, arcs.src, arcs.dst,
        arcs.sets, arcs.asks, gain, arcs.keys, arcs.coefs, by_key, taken, best, use, onward,
    )  # fmt: skip
    use[:, -1] = 0.0
    bound, slope = float(best.sum()), np.zeros(spread.shape)
    for z, row in enumerate(futures.rows):
        bound += row.price_of_limits(spread[z])
        slope[z] = row.slope(spread[z], row.pattern.T @ (use[z] + use[scenes]))
    slope[1:, futures.once] = 0.0
    gains = ((taken[:-1] | taken[-1]) * most).sum(axis=1)
    return Reply(
        prices=prices,
        weight=weight,
        bound=bound,
        taken=taken,
        best=best,
        slope=futures.flat(slope),
        gains=gains,
        onward=onward,
        most=most,
    )


def promises(futures: Futures, parts: Floats | None = None) -> Floats:
    """Say what each arc brings in each scenario, with its part of what its group brings when it is completed.

    A group's bonus is shared out over its hazards: with parts of 0 or more that add up to 1 the sum is never
    less than comes of it. `parts` has shape ``(scenarios, hazards)``; None for equal ones.
    """
    arcs, lead = futures.arcs, futures.arcs.blocks.leading
    most = np.tile(arcs.most, (len(futures.models), 1))
    if lead is None:
        return most
    group = lead.group[arcs.hazard]
    which = np.nonzero(arcs.final & (group >= 0))[0]
    worth = lead.worth[group[which], arcs.year[which]]
    parts = equal_parts(futures) if parts is None else parts
    most[:, which] += worth * parts[:, arcs.hazard[which]]
    return most


def equal_parts(futures: Futures) -> Floats:
    """Share every bonus out equally."""
    lead = futures.arcs.blocks.leading
    parts = np.zeros((len(futures.models), len(futures.arcs.start)))
    if lead is not None:
        held = lead.group >= 0
        size = np.bincount(lead.group[held], minlength=len(lead.labels))
        parts[:, held] = 1.0 / size[lead.group[held]]
    return parts


def shared_anew(futures: Futures, reply: Reply, parts: Floats, step: float) -> Floats:
    """Give more of a bonus to the hazards that are not done at these prices, and less to the others."""
    arcs, lead = futures.arcs, futures.arcs.blocks.leading
    out = parts.copy()
    if lead is None:
        return out
    held = lead.group >= 0
    for z in range(len(out)):
        done = arcs.done(reply.taken[z] | reply.taken[-1]) < arcs.years
        own = out[z, held] * np.exp(-step * done[held])
        total = np.bincount(lead.group[held], weights=own, minlength=len(lead.labels))
        out[z, held] = own / total[lead.group[held]]
    return out


def alone(futures: Futures, sizes: Floats, until: float) -> list[Answer]:
    """Bound every scenario as if one knew that it comes, each from the prices of the one before."""
    found: list[Answer] = []
    for z, (model, row) in enumerate(zip(futures.models, futures.rows, strict=True)):
        begun = time.monotonic()
        moment = begun + max((until - begun) / (len(futures.models) - z), 0.3)
        if not found:
            arcs, seconds = Arcs.of(model), max(until - begun, 0.5) / 2
            found.append(lowest_bound(arcs, row, most_tries=_ALONE_TRIES, close=1e-6, seconds=seconds))
            continue
        begin = found[-1].prices
        found.append(repriced(model, begin, sizes[z], most_tries=_ALONE_TRIES, until=moment))
    return found


def together(futures: Futures, aim: Aim, begin: Floats, until: float) -> tuple[Reply, Reply]:
    """Look for the lowest bounds: on what can be expected, and on what is aimed at.

    Parameters
    ----------
    futures, aim
        Options, rules and objective.
    begin
        Prices of each scenario by itself, shape ``(scenarios, rows)``.
    until
        When to stop, by the monotonic clock.
    """
    prices, parts = futures.flat(begin * aim.chance[:, None]), equal_parts(futures)
    size = _scales(futures, aim)
    expected = _priced(futures, prices, aim.chance, promises(futures, parts), size, until)
    step = 1.0
    for _ in range(_SHARINGS if futures.arcs.blocks.leading is not None else 0):
        if time.monotonic() > until:
            break
        wider = shared_anew(futures, expected, parts, step)
        found = _priced(futures, expected.prices, aim.chance, promises(futures, wider), size, until, tries=40)
        if found.bound < expected.bound:
            expected, parts = found, wider
        else:
            step /= 2
    if aim.worst == 0 or len(aim.chance) == 1:
        return expected, expected
    return expected, _weighed(futures, aim, expected, size, until)


def _priced(
    futures: Futures,
    prices: Floats,
    weight: Floats,
    most: Floats,
    size: Floats,
    until: float,
    tries: int = _TOGETHER_TRIES,
) -> Reply:
    few = len(futures.arcs.benefit) <= _FEW
    return lowered(
        lambda p: asked(futures, p, weight, most),
        prices,
        size,
        _sides(futures),
        most_tries=min(tries, _FEW_TRIES) if few else tries,
        close=_CLOSE,
        until=until,
    )


def _weighed(futures: Futures, aim: Aim, start: Reply, size: Floats, until: float) -> Reply:
    """Lower the bound over prices and weights of the worst scenarios at once.

    The weights lie between 0 and ``chance / alpha`` and add up to 1; that sum is held by a price of its own
    and a growing fine for missing it (augmented Lagrangian), then made exact.
    """
    count, most = len(start.prices), start.most
    top = aim.chance / aim.alpha
    few = len(futures.arcs.benefit) <= _FEW
    fine = abs(start.bound)
    hold = -aim.worst * float(np.max(start.gains[aim.tail_weights(start.gains) > 0]))
    here = np.concatenate([start.prices, aim.tail_weights(start.gains)])
    sides = [*_sides(futures), *((0.0, float(t)) for t in top)]
    for _ in range(_HOLDS):

        def ask(point: Floats, hold: float = hold, fine: float = fine) -> "_Weighed":
            q = np.clip(point[count:], 0.0, top)
            found = asked(futures, point[:count], (1 - aim.worst) * aim.chance + aim.worst * q, most)
            miss = float(q.sum()) - 1
            slope = np.concatenate([found.slope, aim.worst * found.gains + hold + fine * miss])
            return _Weighed(prices=point, bound=found.bound + hold * miss + 0.5 * fine * miss**2, slope=slope)

        best = lowered(
            ask,
            here,
            np.concatenate([size, np.ones(len(top))]),
            sides,
            most_tries=60 if few else 120,
            close=_CLOSE,
            until=until,
        )
        here = best.prices
        miss = float(here[count:].sum()) - 1
        if abs(miss) < 1e-4 or time.monotonic() > until:
            break
        hold, fine = hold + fine * miss, 4 * fine
    weight = (1 - aim.worst) * aim.chance + aim.worst * _onto(here[count:], top)
    tail = (1 - aim.worst) * aim.chance + aim.worst * aim.tail_weights(start.gains)
    found = [_priced(futures, here[:count], w, most, size, until, tries=60) for w in (weight, tail)]
    return min(found, key=lambda r: r.bound)


@dataclass(frozen=True, kw_only=True)
class _Weighed:
    prices: Floats
    bound: float
    slope: Floats


def _onto(weight: Floats, top: Floats) -> Floats:
    """Return the nearest weights from 0 to `top` that add up to 1."""
    low, high = -1.0 - float(np.abs(weight).max()), 1.0 + float(np.abs(weight).max())
    for _ in range(100):
        mid = (low + high) / 2
        low, high = (mid, high) if np.clip(weight + mid, 0.0, top).sum() < 1 else (low, mid)
    out = np.clip(weight + high, 0.0, top)
    return np.asarray(out / out.sum())


def _scales(futures: Futures, aim: Aim) -> Floats:
    """How large each row is, for the search: its limit, or a tenth of what is used where nothing is short.

    Rows of unlikely scenarios have small prices; they are scaled with the root of their probability.
    """
    _, _, free = walk(futures.arcs, futures.arcs.most, futures.keys)
    wish = abs(futures.rows[0].pattern).T @ free
    out = np.array([row.sizes(wish) for row in futures.rows])
    rare = np.sqrt(np.maximum(aim.chance, 1e-3))
    return np.concatenate([out[0, futures.once], (out[:, ~futures.once] / rare[:, None]).ravel()])


def _sides(futures: Futures) -> list[tuple[float | None, float | None]]:
    """Between what each price may lie: from 0 where a row has one limit only."""
    low, high = (
        np.concatenate([a[0, futures.once], a[:, ~futures.once].ravel()])
        for a in (
            np.array([np.isfinite(r.lower) for r in futures.rows]),
            np.array([np.isfinite(r.upper) for r in futures.rows]),
        )
    )
    return [(None if a else 0.0, None if b else 0.0) for a, b in zip(low, high, strict=True)]


def repriced(model: Model, begin: Floats, size: Floats, *, most_tries: int, until: float) -> Answer:
    """Lower the bound of one model from prices at hand; `size` says how large its rows are."""
    arcs, rows = Arcs.of(model), Rows.of(model)
    return lowered(
        lambda prices: answer(arcs, rows, rows.allowed(prices)),
        rows.allowed(begin),
        size,
        rows.sides,
        most_tries=most_tries,
        close=_CLOSE,
        until=until,
    )


def sizes_of(futures: Futures, aim: Aim) -> Floats:
    """How large each row is in each scenario, shape ``(scenarios, rows)``; see `_scales`."""
    out = futures.spread(_scales(futures, replace(aim, chance=np.ones(len(aim.chance)))))
    out[:, futures.once] = out[0, futures.once]
    return out
