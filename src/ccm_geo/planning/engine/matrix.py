"""The same model as one matrix for HiGHS: for small cases, for what is left near the price, as oracle.

One binary per option. A hazard's path is a set of cumulative rows: what has left a state by a year, and
what takes an interim option in it that year, is at most what has come into it by then. Written year by
year instead, such rows leave the solver with a gap of tens of percent.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import highspy
import numpy as np
from scipy import sparse

from ccm_geo.planning.listing import Floats, Ints, Mask

from .arcs import Arcs, Together, together
from .prices import Rows

_MIP_PRESOLVE_UP_TO = 8_000  # HiGHS 1.15: on long budget rows the presolve overruns any time limit
_LONG_ROW = 4_000  # so do its heuristics, which presolve their own small problems
_DUST = 1e-12  # of the largest coefficient of a row: nothing but rounding
_SPREAD = 1e6  # the largest coefficient of a scaled row: rounding stays below HiGHS's tolerance
_LARGEST, _SAME = 1e4, 1e-9  # the largest benefit as the solver sees it; what of it makes no difference
_TIGHT, _LOOSE = 1e-9, 1e-7  # by how much a scaled row may be broken; loose after an error
_DENSE = 3  # rows that would hold more than this many times the options go through columns of sums
_NOTHING_TOLD = (  # ends of HiGHS that prove nothing, though it shows a bound
    highspy.HighsModelStatus.kNotset,
    highspy.HighsModelStatus.kLoadError,
    highspy.HighsModelStatus.kModelError,
    highspy.HighsModelStatus.kPresolveError,
    highspy.HighsModelStatus.kSolveError,
    highspy.HighsModelStatus.kPostsolveError,
    highspy.HighsModelStatus.kUnknown,
)


@dataclass(frozen=True, kw_only=True)
class Matrix:
    """Maximize ``benefit @ x`` with ``lower <= rows @ x <= upper``, x binary where `binary`.

    The first columns are arcs, in their order; further ones are sums by key, then bonuses. The first
    `coupling` rows are those that couple hazards, each divided by `scale`; their limits are wider by half of
    what rounding may break them by, so that the solver loses no plan which fills one to the last cent.
    """

    benefit: Floats
    rows: sparse.csr_array
    lower: Floats
    upper: Floats
    binary: Mask
    coupling: int
    scale: Floats
    positive: Mask | None = None
    """Continuous columns that are 0 or more; the other continuous ones are free."""
    capped: Mask | None = None
    """Continuous columns from 0 to 1; columns added behind them are not."""
    sums: sparse.csr_array | None = None
    """What the continuous columns add up of the arcs, where rows go through sums."""
    bonuses: Together | None = None
    """What the capped columns stand for."""
    behind: tuple[Callable[[Mask], Floats], ...] = ()
    """Give the values in a plan of columns added behind all others."""

    def column_values(self, taken: Mask) -> Floats:
        """Give every column its value in a plan."""
        chosen = taken.astype(float)
        parts = [chosen]
        if self.sums is not None:
            parts.append(self.sums @ chosen)
        if self.bonuses is not None:
            parts.append(self.bonuses.had(chosen))
        parts += [values(taken) for values in self.behind]
        return np.concatenate(parts)


def compiled(arcs: Arcs, rows: Rows, fixed: Mask | None = None) -> Matrix:
    """Lay out arcs and rows; what `fixed` arcs use is taken off the limits and their hazards stay out.

    Parameters
    ----------
    arcs
        Options still in play. With `fixed`, every hazard is either all fixed or all free.
    rows
        Rows that couple hazards.
    fixed
        Arcs that are taken, of hazards that are settled; None: all are free.
    """
    settled = np.zeros(len(arcs.start), bool)
    spent = np.zeros(rows.pattern.shape[0])
    taken = np.zeros(len(arcs.benefit), bool) if fixed is None else fixed
    if taken.any():
        settled[arcs.hazard[taken]] = True
        for keys, coefs in zip(arcs.keys[:, taken], arcs.coefs[:, taken], strict=True):
            spent += np.bincount(keys, weights=coefs, minlength=len(spent))
        spent[-1] = 0.0
    free = ~settled[arcs.hazard]
    bonuses = together(arcs, taken, settled)
    return _matrix(arcs if free.all() else arcs.keep(free), rows, rows.pattern.T @ spent, bonuses)


def _matrix(arcs: Arcs, rows: Rows, used: Floats, bonuses: Together) -> Matrix:
    count = len(arcs.benefit)
    body, rhs = _path_rows(arcs)
    need, least = _end_rows(arcs)
    order, most = _mark_rows(arcs)
    own = sparse.csr_array(sparse.vstack([body, need, order]))
    own_lower = np.concatenate([np.full(len(rhs), -np.inf), least, np.full(len(most), -np.inf)])
    own_upper = np.concatenate([rhs, np.full(len(least), np.inf), most])
    by_key = _by_key(arcs, rows.pattern.shape[0])
    lower, upper = rows.lower - used - 0.5 * rows.room, rows.upper - used + 0.5 * rows.room
    coupling = sparse.csr_array(rows.pattern.T @ by_key)
    scale = _scales(coupling)
    sums, link = None, sparse.csr_array((0, count))
    if coupling.nnz > _DENSE * (count + rows.pattern.nnz):
        coupling, own, sums = _through_sums(by_key, rows, own)
        link = sparse.csr_array(sparse.hstack([sums, -sparse.identity(sums.shape[0])]))
    width, extra = coupling.shape[1], len(bonuses.worth)
    shrink = sparse.diags_array(1.0 / scale)
    whole = sparse.csr_array(sparse.vstack([shrink @ coupling, link, own]))
    lower = np.concatenate([lower / scale, np.zeros(link.shape[0]), own_lower])
    upper = np.concatenate([upper / scale, np.zeros(link.shape[0]), own_upper])
    if extra:
        whole = _with_bonuses(whole, bonuses)
        lower = np.concatenate([lower, np.full(len(bonuses.of), -np.inf)])
        upper = np.concatenate([upper, np.zeros(len(bonuses.of))])
    place = np.arange(width + extra)
    return Matrix(
        benefit=np.concatenate([arcs.benefit, np.zeros(width - count), bonuses.worth]),
        rows=whole,
        lower=lower,
        upper=upper,
        binary=place < count,
        capped=place >= width,
        coupling=len(scale),
        scale=scale,
        sums=sums,
        bonuses=bonuses,
    )


def _with_bonuses(whole: sparse.csr_array, bonuses: Together) -> sparse.csr_array:
    """Add a column for each bonus, and a row for each of its needs: had at most as far as that is met."""
    needs, extra = len(bonuses.of), len(bonuses.worth)
    gap = sparse.csr_array((needs, whole.shape[1] - bonuses.needs.shape[1]))
    had = sparse.csr_array((np.ones(needs), (np.arange(needs), bonuses.of)), shape=(needs, extra))
    wide = sparse.hstack([whole, sparse.csr_array((whole.shape[0], extra))])
    return sparse.csr_array(sparse.vstack([wide, sparse.hstack([-bonuses.needs, gap, had])]))


def _by_key(arcs: Arcs, keys: int) -> sparse.csr_array:
    families, count = arcs.keys.shape
    column = np.tile(np.arange(count), families)
    key, coef = arcs.keys.ravel(), arcs.coefs.ravel()
    held = (key < keys - 1) & (coef != 0)
    return sparse.csr_array(sparse.coo_array((coef[held], (key[held], column[held])), shape=(keys, count)))


def _scales(coupling: sparse.csr_array) -> Floats:
    """Divide each row by one of its smaller coefficients, so that tolerances stay far below a cent.

    What shares leave of an amount by rounding alone is no coefficient.
    """
    out = np.ones(coupling.shape[0])
    for r in range(coupling.shape[0]):
        size = np.abs(coupling.data[coupling.indptr[r] : coupling.indptr[r + 1]])
        size = size[size > _DUST * size.max(initial=0.0)]
        if len(size):
            out[r] = max(np.quantile(size, 0.05), size.max() / _SPREAD)
    return out


def _through_sums(by_key: sparse.csr_array, rows: Rows, own: sparse.csr_array) -> Any:
    """Put a column for each key's sum between arcs and rows, where rows hold nearly every arc."""
    keys = by_key.shape[0] - 1
    size = _scales(by_key)[:keys]
    sums = sparse.csr_array(sparse.diags_array(1 / size) @ by_key[:keys])
    count = by_key.shape[1]
    none = sparse.csr_array((rows.pattern.shape[1], count))
    coupling = sparse.csr_array(sparse.hstack([none, rows.pattern[:keys].T @ sparse.diags_array(size)]))
    return coupling, sparse.csr_array(sparse.hstack([own, sparse.csr_array((own.shape[0], keys))])), sums


def _path_rows(arcs: Arcs) -> tuple[sparse.csr_array, Floats]:
    """By hazard, state and year: out so far + interim this year - in so far <= 1 where it starts, else 0."""
    states, years = (
        int(max(arcs.dst.max(initial=0), arcs.src.max(initial=0))) + 1,
        int(arcs.year.max(initial=0)) + 2,
    )
    place = arcs.hazard * states
    loop = arcs.src == arcs.dst
    nodes = np.unique((place + arcs.src) * years + arcs.year)
    group = nodes // years
    begins = group % states == arcs.start[group // states]
    has_loop = np.isin(nodes, ((place + arcs.src) * years + arcs.year)[loop])
    last = np.append(group[1:] != group[:-1], True) if len(group) else np.zeros(0, bool)
    nodes = nodes[~begins | has_loop | last]
    group = nodes // years
    column, node, sign = [], [], []
    for state, arc, value in ((arcs.src, ~loop, 1.0), (arcs.dst, ~loop, -1.0), (arcs.src, loop, 1.0)):
        which = np.nonzero(arc)[0]
        key = (place[which] + state[which]) * years
        until = np.where(
            loop[which], arcs.year[which] + 1, years
        )  # an interim option counts in its year only
        low, high = np.searchsorted(nodes, key + arcs.year[which]), np.searchsorted(nodes, key + until)
        size = high - low
        column.append(np.repeat(which, size))
        node.append(np.arange(size.sum()) - np.repeat(np.cumsum(size) - size, size) + np.repeat(low, size))
        sign.append(np.full(size.sum(), value))
    at = (np.concatenate(node), np.concatenate(column))
    body = sparse.coo_array((np.concatenate(sign), at), shape=(len(nodes), len(arcs.benefit)))
    rhs = (group % states == arcs.start[group // states]).astype(float)
    rows = sparse.csr_array(body)
    says = (np.diff(rows.indptr) > 1) | (rhs == 0)  # "one option at most" of a single option says nothing
    return rows[says], rhs[says]


def _end_rows(arcs: Arcs) -> tuple[sparse.csr_array, Floats]:
    """By hazard and mark it must end with: at least one option that sets it."""
    bits = [(h, b) for h in np.nonzero(arcs.must)[0] for b in range(8) if arcs.must[h] >> b & 1]
    at: list[tuple[Ints, Ints]] = []
    for row, (h, b) in enumerate(bits):
        arc = np.arange(arcs.first[h], arcs.first[h + 1])
        arc = arc[(arcs.sets[arc] >> b) & 1 == 1]
        at.append((np.full(len(arc), row), arc))
    return _entries(at, (len(bits), len(arcs.benefit))), np.ones(len(bits))


def _mark_rows(arcs: Arcs) -> tuple[sparse.csr_array, Floats]:
    """By hazard, mark, class of options that ask for it, and year: taken so far <= set so far.

    A class holds steps into one state, or interim options of one year: a path takes one at most.
    """
    at: list[tuple[Ints, Ints]] = []
    negative: list[tuple[Ints, Ints]] = []
    row = 0
    for h in np.unique(arcs.hazard[arcs.asks > 0]):
        arc = np.arange(arcs.first[h], arcs.first[h + 1])
        loop = arcs.src[arc] == arcs.dst[arc]
        for b in range(int(arcs.marks[h])):
            asking, setting = ((bits[arc] >> b) & 1 == 1 for bits in (arcs.asks, arcs.sets))
            classes = [
                (asking & ~loop & (arcs.dst[arc] == s), s, None)
                for s in np.unique(arcs.dst[arc[asking & ~loop]])
            ]
            classes += [
                (asking & loop & (arcs.year[arc] == y), None, y)
                for y in np.unique(arcs.year[arc[asking & loop]])
            ]
            for members, state, year in classes:
                early = setting if state is None else setting & (loop | (arcs.dst[arc] < state))
                for y in np.unique(arcs.year[arc[members]]) if year is None else [year]:
                    ahead = early & np.where(loop, arcs.year[arc] < y, arcs.year[arc] <= y)
                    own = members & (arcs.year[arc] <= y)
                    at.append((np.full(own.sum(), row), arc[own]))
                    negative.append((np.full(ahead.sum(), row), arc[ahead]))
                    row += 1
    shape = (row, len(arcs.benefit))
    return _entries(at, shape) - _entries(negative, shape), np.zeros(row)


def _entries(at: list[tuple[Ints, Ints]], shape: tuple[int, int]) -> sparse.csr_array:
    if not at:
        return sparse.csr_array(shape)
    row, column = (np.concatenate([pair[i] for pair in at]).astype(np.int64) for i in (0, 1))
    return sparse.csr_array(sparse.coo_array((np.ones(len(row)), (row, column)), shape=shape))


@dataclass(frozen=True, kw_only=True)
class Found:
    """What HiGHS brought back; `bound` holds for this matrix, `prices` are those of the coupling rows."""

    taken: Mask | None
    bound: float
    infeasible: bool
    prices: Floats = field(repr=False)
    values: Floats | None = field(default=None, repr=False)


def optimize(
    matrix: Matrix,
    *,
    gap: float,
    seconds: float,
    relaxed: bool = False,
    warm: Mask | None = None,
    target: float | None = None,
    slack: float = 0.0,
    plain: bool = False,
) -> Found:
    """Solve with HiGHS; what it returns is only a proposal, to be re-evaluated by whoever asked.

    Parameters
    ----------
    matrix
        The model.
    gap
        Stop at this relative gap.
    seconds
        Stop at this time.
    relaxed
        Solve the linear relaxation and bring its prices.
    warm
        A plan to start from.
    target
        Stop at a plan of this benefit.
    slack
        Stop where plan and bound are this near, in benefit; at the latest at 1e-9 of the largest one.
    plain
        Branch at once, without heuristics or a look for symmetry: for many small matrices.
    """
    if not len(matrix.benefit):
        broken = bool((matrix.lower > 1e-9).any() or (matrix.upper < -1e-9).any())
        return Found(taken=np.zeros(0, bool), bound=0.0, infeasible=broken, prices=np.zeros(matrix.coupling))
    size = _LARGEST / max(float(np.abs(matrix.benefit).max()), 1e-300)
    solver = _loaded(matrix, size, relaxed=relaxed)
    solver.setOptionValue("time_limit", float(max(seconds, 0.1)))
    if relaxed:
        solver.run()
        return _relaxed(solver, matrix, size)
    solver.setOptionValue("mip_rel_gap", float(gap))
    solver.setOptionValue("mip_abs_gap", max(slack * size, _LARGEST * _SAME))
    if len(matrix.benefit) > _MIP_PRESOLVE_UP_TO:
        solver.setOptionValue("presolve", "off")
    if plain:
        solver.setOptionValue("mip_detect_symmetry", False)
    if plain or np.diff(matrix.rows.indptr).max(initial=0) > _LONG_ROW:
        solver.setOptionValue("mip_heuristic_effort", 0.0)
    if target is not None:
        solver.setOptionValue("objective_target", -target * size)
    if warm is not None:
        start = highspy.HighsSolution()
        start.col_value = matrix.column_values(warm).tolist()
        solver.setSolution(start)
    solver.run()
    if solver.getModelStatus() in _NOTHING_TOLD:
        solver.clearSolver()
        _tolerate(solver, _LOOSE)
        solver.run()
    info, status = solver.getInfo(), solver.getModelStatus()
    infeasible = status in (
        highspy.HighsModelStatus.kInfeasible,
        highspy.HighsModelStatus.kUnboundedOrInfeasible,
    )
    taken = values = None
    if info.primal_solution_status == highspy.SolutionStatus.kSolutionStatusFeasible:
        values = np.asarray(solver.getSolution().col_value)
        taken = values[matrix.binary] > 0.5
    told = status not in _NOTHING_TOLD and np.isfinite(info.mip_dual_bound)
    bound = -info.mip_dual_bound / size if told else np.inf
    return Found(
        taken=taken, bound=bound, infeasible=infeasible, prices=np.zeros(matrix.coupling), values=values
    )


def _tolerate(solver: Any, broken: float) -> None:
    solver.setOptionValue("primal_feasibility_tolerance", broken)
    solver.setOptionValue("mip_feasibility_tolerance", broken)


def _relaxed(solver: Any, matrix: Matrix, size: float) -> Found:
    status = solver.getModelStatus()
    if status != highspy.HighsModelStatus.kOptimal:
        infeasible = status == highspy.HighsModelStatus.kInfeasible
        return Found(taken=None, bound=np.inf, infeasible=infeasible, prices=np.zeros(matrix.coupling))
    dual = np.asarray(solver.getSolution().row_dual)[: matrix.coupling]
    bound = -solver.getInfo().objective_function_value / size
    return Found(taken=None, bound=bound, infeasible=False, prices=-dual / size / matrix.scale)


def _loaded(matrix: Matrix, size: float, *, relaxed: bool) -> Any:
    solver: Any = highspy.Highs()  # type: ignore[no-untyped-call]
    solver.setOptionValue("output_flag", False)
    solver.setOptionValue("threads", 1)
    _tolerate(solver, _TIGHT)
    lp = highspy.HighsLp()
    lp.num_col_, lp.num_row_ = len(matrix.benefit), len(matrix.lower)
    lp.col_cost_ = -matrix.benefit * size
    most_one = matrix.binary.copy()
    if matrix.capped is not None:
        most_one[: len(matrix.capped)] |= matrix.capped
    bounded = most_one if matrix.positive is None else most_one | matrix.positive
    lp.col_lower_ = np.where(bounded, 0.0, -highspy.kHighsInf)
    lp.col_upper_ = np.where(most_one, 1.0, highspy.kHighsInf)
    lp.row_lower_ = np.where(np.isinf(matrix.lower), -highspy.kHighsInf, matrix.lower)
    lp.row_upper_ = np.where(np.isinf(matrix.upper), highspy.kHighsInf, matrix.upper)
    lp.a_matrix_.format_ = highspy.MatrixFormat.kRowwise
    lp.a_matrix_.start_ = matrix.rows.indptr.astype(np.int32)
    lp.a_matrix_.index_ = matrix.rows.indices.astype(np.int32)
    lp.a_matrix_.value_ = matrix.rows.data
    if not relaxed:
        kinds = highspy.HighsVarType
        lp.integrality_ = [kinds.kInteger if b else kinds.kContinuous for b in matrix.binary]
    solver.passModel(lp)
    return solver
