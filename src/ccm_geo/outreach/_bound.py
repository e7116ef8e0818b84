"""A bound that no set of stops exceeds, from prices on places.

Each place pays at most its price once; a stop earns what its gains exceed the prices. Whatever the prices,
their sum plus the best earnings that money and number allow is at least the worth of every set of stops.
The lowest such bound equals that of the linear relaxation.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ._gains import Floats, Mask, Task, above, compiled, next_gains, parts, repaired, searched

_TRIES = 3000
_PATIENCE = 25
_SHORTER = 0.7
_LEAST_STEP = 1e-3
_MEMORY = 0.7
_SEARCH_EVERY = 60


@dataclass(frozen=True, kw_only=True, eq=False)
class Bound:
    """The lowest bound found, its prices, and the best set of stops met on the way."""

    value: float
    price: Floats
    chosen: Mask
    worth: float

    def settled(self, task: Task) -> tuple[Mask, Mask]:
        """Say which stops are in every better set, and which are in none."""
        earned = above(*parts(task), self.price)
        take, _, rate = _filled(task, earned)
        net = earned - rate * task.cost
        level = _level(task, net)
        # a stop that is not taken would push out the last taken one (or money at the going rate)
        excess = np.maximum(level - net, 0.0)
        short = np.maximum(net - max(_next_level(task, net), 0.0), 0.0)
        base = float(self.price.sum()) + _dual(task, earned, rate)
        least = task.better_than(self.worth)
        never = (base - excess < least) & (take <= 0)
        always = (base - short < least) & (take >= 1)
        return always, never


def lowered(task: Task, *, seconds: float, near: Callable[[float], float]) -> Bound:
    """Lower the bound by moving prices against the subgradient, and look for sets of stops on the way.

    Prices stay above what the third of the stops of a good set brings: that leaves out most gains.
    """
    until = time.monotonic() + seconds
    search = _Search(task)
    ranked = next_gains(*parts(task), np.flatnonzero(search.chosen), task.gains.shape[0])
    walk = _Walk(near=_above(task, ranked[2]), least=ranked[2], price=ranked[:2].mean(axis=0))
    for turn in range(_TRIES):
        take, earned = walk.look(search.worth)
        if turn % _SEARCH_EVERY == 0:
            search.start(repaired(task, take * (1 + earned)))
        if walk.best - search.worth <= near(search.worth) or time.monotonic() > until or walk.over:
            break
        walk.on(search.worth)
    return Bound(value=walk.best, price=walk.best_price, chosen=search.chosen, worth=search.worth)


class _Search:
    """The best set of stops so far, and where the search has begun already."""

    def __init__(self, task: Task) -> None:
        self.task = task
        self.chosen = searched(task)
        self.worth = task.worth(self.chosen)
        self.seen = {self.chosen.tobytes()}

    def start(self, chosen: Mask) -> None:
        """Look for a better set around this one."""
        if chosen.tobytes() in self.seen:
            return
        self.seen.add(chosen.tobytes())
        other = searched(self.task, chosen)
        if self.task.worth(other) > self.worth:
            self.chosen, self.worth = other, self.task.worth(other)


class _Walk:
    """Prices on their way down: step by Polyak's rule, shorter where it does not help, scaled by place."""

    def __init__(self, *, near: Task, least: Floats, price: Floats) -> None:
        self.near, self.least, self.price = near, least, price
        self.best, self.best_price = np.inf, price
        top = near.gains.max(axis=1).toarray().ravel()
        self.scale = np.maximum(top / max(float(top.mean()), 1e-300), 1e-9)
        self.step, self.idle, self.over = 1.0, 0, False
        self.value, self.take = np.inf, np.zeros(len(near.cost))
        self.way = np.zeros_like(price)

    def look(self, worth: float) -> tuple[Floats, Floats]:
        """Bound the worth at these prices; give what was taken and what each stop earned."""
        earned = above(*parts(self.near), self.price)
        self.take, most, _ = _filled(self.near, earned)
        self.value = float(self.price.sum()) + most
        near_enough = 1e-6 * (self.best - worth) if np.isfinite(self.best) else 0.0
        self.idle = 0 if self.value < self.best - near_enough else self.idle + 1
        if self.value < self.best:
            self.best, self.best_price = self.value, self.price.copy()
        if self.idle >= _PATIENCE:
            self.step, self.idle = self.step * _SHORTER, 0
            self.way[:] = 0
        self.over = self.step < _LEAST_STEP
        return self.take, earned

    def on(self, worth: float) -> None:
        """Move the prices."""
        slope = 1.0 - _claims(*parts(self.near), self.price, self.take)
        slope[(self.price <= self.least) & (slope > 0)] = 0.0
        self.way = slope + _MEMORY * self.way if slope @ self.way >= 0 else slope
        size = float(self.way @ (self.scale * self.way))
        if size <= 0:
            self.over = True
            return
        length = self.step * 1.02 * max(self.value - worth, 0.0) / size
        self.price = np.maximum(self.price - length * self.scale * self.way, self.least)


def _above(task: Task, least: Floats) -> Task:
    """Leave out gains that no price above `least` lets count."""
    gains = task.gains.copy()
    gains.data[gains.data <= least[gains.indices]] = 0.0
    gains.eliminate_zeros()
    return replace(task, gains=gains)


def _filled(task: Task, earned: Floats) -> tuple[Floats, float, float]:
    """Take the best earnings that money and number allow, parts of stops included.

    Returns
    -------
    take, most, rate
        Share of each stop, a bound on the earnings, and the price of money behind it.
    """
    if not np.isfinite(task.budget):
        take = np.zeros(len(earned))
        take[np.argsort(-earned, kind="stable")[: task.most]] = 1.0
        take[earned <= 0] = 0.0
        return take, float(earned @ take), 0.0
    rate = _rate(task, earned)
    net = earned - rate * task.cost
    take = np.zeros(len(earned))
    order = np.argsort(-net, kind="stable")[: task.most]
    left = task.budget
    for j in order:
        if net[j] < -1e-12 * (1 + abs(earned[j])) or left <= 0:
            break
        take[j] = 1.0 if task.cost[j] <= left else left / task.cost[j]
        left -= task.cost[j] * take[j]
    return take, _dual(task, earned, rate), rate


def _dual(task: Task, earned: Floats, rate: float) -> float:
    """Bound the earnings by charging for money."""
    net = np.sort(np.maximum(earned - rate * task.cost, 0.0))[::-1][: task.most]
    return float(net.sum()) + (rate * task.budget if rate > 0 else 0.0)


def _rate(task: Task, earned: Floats) -> float:
    """Find the price of money at which the bound is lowest (it is convex in the price)."""
    costly = task.cost > 0
    if not costly.any():
        return 0.0
    if task.most >= len(earned):
        per = np.full(len(earned), np.inf)
        per[costly] = earned[costly] / task.cost[costly]
        order = np.argsort(-per, kind="stable")
        spent = np.cumsum(task.cost[order])
        over = int(np.searchsorted(spent, task.budget, side="right"))
        return 0.0 if over >= len(order) else max(float(per[order[over]]), 0.0)
    low, high = 0.0, float((earned[costly] / task.cost[costly]).max(initial=0.0))
    for _ in range(60):
        one, two = low + (high - low) * 0.382, low + (high - low) * 0.618
        if _dual(task, earned, one) <= _dual(task, earned, two):
            high = two
        else:
            low = one
    return min(0.0, low, high, key=lambda r: _dual(task, earned, r))


def _level(task: Task, net: Floats) -> float:
    """Give what the last stop that fits by number earns; 0 where number is no limit."""
    if task.most >= len(net):
        return 0.0
    return max(float(np.partition(net, len(net) - task.most)[len(net) - task.most]), 0.0)


def _next_level(task: Task, net: Floats) -> float:
    """Give what the first stop that does not fit by number earns."""
    if task.most >= len(net):
        return 0.0
    return max(float(np.sort(net)[::-1][task.most]), 0.0)


@compiled
def _claims(start: Any, row: Any, gain: Any, price: Any, take: Any) -> Any:
    """How many of the taken stops each place pays."""
    out = np.zeros(len(price))
    for j in range(len(take)):
        if take[j] > 0:
            for k in range(start[j], start[j + 1]):
                if gain[k] > price[row[k]]:
                    out[row[k]] += take[j]
    return out
