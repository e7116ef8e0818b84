"""The best set of stops with a proof: prices first, then what they leave open as a matrix for HiGHS."""

import time
from dataclasses import dataclass
from typing import Any

import highspy
import numpy as np
from scipy.sparse import coo_array, csc_array, csr_array

from ._bound import Bound, lowered
from ._gains import Floats, Mask, Task, dominated, searched

_SMALL = 2_000  # entries; up to here the matrix needs no prices
_MATRIX_UP_TO = 400_000  # entries; beyond, HiGHS brings nothing in a minute


@dataclass(frozen=True, kw_only=True, eq=False)
class Found:
    """A set of stops, what it is worth, and a bound that no set exceeds."""

    chosen: Mask
    worth: float
    bound: float


@dataclass(frozen=True)
class _Aim:
    """How near to the bound is near enough."""

    offset: float
    gap: float

    def near(self, worth: float) -> float:
        return self.gap * abs(self.offset - worth)


def best_stops(task: Task, *, offset: float = 0.0, gap: float, seconds: float) -> Found:
    """Find the best set of stops, or one near enough to the bound; at the latest after about `seconds`.

    Parameters
    ----------
    task
        What there is to choose from.
    offset
        The goal is ``|offset - worth|``; distances are shares of it.
    gap
        Distance from the bound that is good enough.
    seconds
        When to stop looking.
    """
    until = time.monotonic() + seconds
    kept = np.flatnonzero(~dominated(task) & (task.cost <= task.budget))
    found = _found(_part(task, kept), _Aim(offset, gap), until)
    chosen = np.zeros(len(task.cost), dtype=bool)
    chosen[kept[found.chosen]] = True
    worth = task.worth(chosen)
    return Found(chosen=chosen, worth=worth, bound=max(found.bound, worth))


def _part(task: Task, kept: Any) -> Task:
    none = np.zeros(len(task.cost), dtype=bool)
    return task.given(none, kept)


def _found(task: Task, aim: _Aim, until: float) -> Found:
    if not task.gains.nnz or task.most < 1:
        return Found(chosen=np.zeros(len(task.cost), dtype=bool), worth=0.0, bound=0.0)
    bound = _priced(task, aim, until)
    chosen, worth = bound.chosen, bound.worth
    highest = _rounded(task, bound.value, worth)
    if highest - worth <= aim.near(worth):
        return Found(chosen=chosen, worth=worth, bound=highest)
    always, never = bound.settled(task)
    kept = np.flatnonzero(~always & ~never)
    rest = task.given(always, kept)
    base = task.worth(always)
    if rest.gains.nnz <= _MATRIX_UP_TO and rest.budget >= 0 and rest.most >= 0:
        warm = chosen[kept] if not (chosen & never).any() and (chosen | ~always).all() else None
        taken, other = _by_matrix(rest, near=aim.near(worth), seconds=until - time.monotonic(), warm=warm)
        if taken is not None:
            candidate = always.copy()
            candidate[kept[taken]] = True
            if task.allows(candidate) and task.worth(candidate) > worth:
                chosen, worth = candidate, task.worth(candidate)
        highest = _rounded(task, min(highest, max(base + other, worth)), worth)
    return Found(chosen=chosen, worth=worth, bound=highest)


def _priced(task: Task, aim: _Aim, until: float) -> Bound:
    """Bound the worth by prices, or, of a small task, by what every place can get at most."""
    if task.gains.nnz > _SMALL:
        return lowered(task, seconds=0.5 * max(until - time.monotonic(), 0.1), near=aim.near)
    chosen = searched(task)
    top = task.gains.max(axis=1).toarray().ravel()
    return Bound(value=float(top.sum()), price=top, chosen=chosen, worth=task.worth(chosen))


def _rounded(task: Task, bound: float, worth: float) -> float:
    """Use that a better set must be better by something."""
    if task.whole:
        bound = float(np.floor(bound + 1e-6 * max(1.0, abs(bound)) ** 0.5))
    return worth if bound < task.better_than(worth) else bound


def _by_matrix(task: Task, *, near: float, seconds: float, warm: Mask | None) -> tuple[Mask | None, float]:
    """Solve with HiGHS; gives a proposal and a bound. What it returns is evaluated again by the caller."""
    matrix, value, lower, upper = _matrix(task)
    size = 1e4 / max(float(value.max(initial=0.0)), 1e-300)
    solver = _loaded(matrix, value * size, lower, upper, len(task.cost))
    solver.setOptionValue("time_limit", float(max(seconds, 0.1)))
    solver.setOptionValue("mip_rel_gap", 0.0)
    solver.setOptionValue("mip_abs_gap", max(near * size, 1e-9))
    if warm is not None:
        start = highspy.HighsSolution()
        start.col_value = _filled_in(task, matrix, warm).tolist()
        solver.setSolution(start)
    solver.run()
    info = solver.getInfo()
    taken = None
    if info.primal_solution_status == highspy.SolutionStatus.kSolutionStatusFeasible:
        taken = np.asarray(solver.getSolution().col_value)[: len(task.cost)] > 0.5
    bound = -info.mip_dual_bound / size if np.isfinite(info.mip_dual_bound) else np.inf
    if solver.getModelStatus() == highspy.HighsModelStatus.kInfeasible:
        bound = 0.0
    return taken, bound


def _matrix(task: Task) -> tuple[csr_array, Floats, Floats, Floats]:
    """Lay the task out: a column per stop, then one per place and level of gain, in steps.

    ``reached[level] <= reached[level above] + stops of this level`` keeps the rows short, where every level
    with all stops above it would grow with the square.
    """
    rows = csr_array(task.gains)
    rows.sort_indices()
    place = np.repeat(np.arange(rows.shape[0]), np.diff(rows.indptr))
    order = np.lexsort([-rows.data, place])
    place, gain, stop = place[order], rows.data[order], rows.indices[order]
    new = np.ones(len(place), dtype=bool)
    new[1:] = (place[1:] != place[:-1]) | (gain[1:] != gain[:-1])
    level = np.cumsum(new) - 1
    head = np.flatnonzero(new)
    same = np.append(place[head][1:] == place[head][:-1], False)
    below = np.where(same, np.append(gain[head][1:], 0.0), 0.0)
    levels, stops = len(head), rows.shape[1]
    follows = np.flatnonzero(np.append(False, same[:-1]))
    row = np.concatenate([level, np.arange(levels), follows])
    col = np.concatenate([stop, stops + np.arange(levels), stops + follows - 1])
    data = np.concatenate([-np.ones(len(level)), np.ones(levels), -np.ones(len(follows))])
    limits, most = [], []
    if np.isfinite(task.budget):
        scale = max(float(task.cost.max(initial=0.0)), 1e-300)
        limits.append(np.column_stack([np.arange(stops), task.cost / scale]))
        most.append(task.budget / scale)
    if task.most < stops:
        limits.append(np.column_stack([np.arange(stops), np.ones(stops)]))
        most.append(float(task.most))
    for k, entries in enumerate(limits):
        row = np.concatenate([row, np.full(stops, levels + k)])
        col = np.concatenate([col, entries[:, 0].astype(np.int64)])
        data = np.concatenate([data, entries[:, 1]])
    shape = (levels + len(limits), stops + levels)
    value = np.concatenate([np.zeros(stops), gain[head] - below])
    upper = np.concatenate([np.zeros(levels), most])
    matrix = csr_array(coo_array((data, (row, col)), shape=shape))
    return matrix, value, np.full(shape[0], -np.inf), upper


def _filled_in(task: Task, matrix: csr_array, chosen: Mask) -> Floats:
    """Give every column its value for a set of stops."""
    stops = len(task.cost)
    levels = matrix.shape[1] - stops
    own = csc_array(matrix[:levels, :stops]) @ chosen.astype(float) < 0
    chain = csr_array(matrix[:levels, stops:])
    follows = np.diff(chain.indptr) > 1
    out = own.astype(float)
    for k in np.flatnonzero(follows):
        out[k] = max(out[k], out[k - 1])
    return np.concatenate([chosen.astype(float), out])


def _loaded(matrix: csr_array, value: Floats, lower: Floats, upper: Floats, stops: int) -> Any:
    solver: Any = highspy.Highs()  # type: ignore[no-untyped-call]
    for name, setting in (("output_flag", False), ("threads", 1), ("mip_feasibility_tolerance", 1e-9)):
        solver.setOptionValue(name, setting)
    lp = highspy.HighsLp()
    lp.num_col_, lp.num_row_ = matrix.shape[1], matrix.shape[0]
    lp.col_cost_ = -value
    lp.col_lower_, lp.col_upper_ = np.zeros(matrix.shape[1]), np.ones(matrix.shape[1])
    lp.row_lower_ = np.where(np.isinf(lower), -highspy.kHighsInf, lower)
    lp.row_upper_ = upper
    lp.a_matrix_.format_ = highspy.MatrixFormat.kRowwise
    lp.a_matrix_.start_ = matrix.indptr.astype(np.int32)
    lp.a_matrix_.index_ = matrix.indices.astype(np.int32)
    lp.a_matrix_.value_ = matrix.data
    kinds = highspy.HighsVarType
    lp.integrality_ = [kinds.kInteger] * stops + [kinds.kContinuous] * (matrix.shape[1] - stops)
    solver.passModel(lp)
    return solver
