"""What each rule costs in benefit, and what one more unit of each limit would bring."""

import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from ccm_geo.errors import DataError
from ccm_geo.planning._priced import SAME, Priced, few
from ccm_geo.planning.engine.arcs import Arcs
from ccm_geo.planning.engine.prices import Rows, lowest_bound
from ccm_geo.planning.engine.solve import solve
from ccm_geo.planning.listing import measured_in
from ccm_geo.planning.model import Model, build

if TYPE_CHECKING:
    from ccm_geo.planning.plan import Plan

_SHOWN = 3  # limits of each rule
_BOUND_SECONDS = 20.0  # for the bound without a rule; stopping early only widens its interval


@dataclass(frozen=True, kw_only=True, repr=False)
class RuleCosts:
    """The price of every rule.

    Parameters
    ----------
    table
        One row per rule: rule, binds (rows with a price), lost (best estimate of how much more could be
        averted without the rule), lost_low and lost_high (proven), share (lost, as a share of the plan's
        benefit), exact (whether it was planned again without the rule).
    rows
        One row per limit that has a price: rule, row, limit, used, price (benefit of one more unit of the
        limit; for a floor, what one unit moved there costs), unit, step (a round number of units) and
        step_brings.
    benefit
        What the plan averts.
    benefit_unit
        Unit of benefit and losses.
    """

    table: pd.DataFrame = field(repr=False)
    rows: pd.DataFrame = field(repr=False)
    benefit: float
    benefit_unit: str

    def __str__(self) -> str:
        lines = [f"What the rules cost, of {few(self.benefit)} {self.benefit_unit}:"]
        for row in self.table.to_dict("records"):
            told = (
                f"exactly {few(row['lost'])}"
                if row["lost_high"] - row["lost_low"] <= 1e-6 * abs(self.benefit)
                else f"about {few(row['lost'])} (proven: {few(row['lost_low'])} to {few(row['lost_high'])})"
            )
            lines.append(f"  without {row['rule']}: {told} more")
        for row in self.rows.groupby("rule", sort=False).head(_SHOWN).to_dict("records"):
            verb = "would bring" if row["step_brings"] >= 0 else "for it would cost"
            step, brings = few(row["step"]), few(abs(row["step_brings"]))
            unit = (
                row["unit"].removesuffix("s") if row["step"] == 1 and row["unit"] != "units" else row["unit"]
            )
            told = f"{step} {unit} more {verb} about {brings} {self.benefit_unit}"
            lines.append(f"  {row['row']}: {told}")
        return "\n".join(lines)

    def __repr__(self) -> str:
        return f"<Costs of {len(self.table)} rules>"

    def _repr_html_(self) -> str:
        shown = (self.table, self.rows.head(30))
        return "".join(t.to_html(index=False, escape=True, float_format=lambda v: f"{v:,.4g}") for t in shown)


def rule_costs(
    plan: "Plan", *, exact: bool | str | Iterable[str] = False, seconds: float = 60.0
) -> RuleCosts:
    """Say what each rule costs: how much more could be averted without it.

    Parameters
    ----------
    plan
        A plan from `prioritize`.
    exact
        Plan again without a rule: for the titles named, or, with True, for every rule. Without it the
        upper end and the estimate come from the bound without the rule, the lower end is 0.
    seconds
        When to stop; rules that were not reached keep their wide intervals.

    Returns
    -------
    RuleCosts

    Raises
    ------
    DataError
        If `exact` names a rule that the plan does not have.

    Notes
    -----
    With :math:`z` the most that can be averted under all rules and :math:`z_r` without rule r, the loss
    :math:`z_r - z` lies between the benefit of a plan without r less the bound with it, and the bound
    without r less the benefit of the plan with it. Prices are those of `Plan.use`: right for small
    changes, and never too small for large ones (the bound is concave in each limit).

    Examples
    --------
    >>> from ccm_geo.planning import Budget, LockIn, prioritize
    >>> options = pd.DataFrame({"hazard_id": list("abc"), "cost_usd": [1, 1, 1], "benefit": [5.0, 3.0, 2.0]})
    >>> costs = rule_costs(prioritize(options, [Budget(2), LockIn("c")]), exact=True)
    >>> costs.table[["rule", "lost"]].values.tolist()
    [['Budget', 3.0], ['LockIn c', 1.0]]
    """
    priced = Priced.of(plan)
    wanted = _wanted(exact, plan)
    until = time.monotonic() + seconds
    base = priced.found.bound
    if len(wanted) < len(plan.rules):
        base = min(base, lowest_bound(priced.arcs, priced.rows, seconds=_BOUND_SECONDS).bound)
    lines = [
        _without(priced, number, again=rule.title in wanted, until=until, base=base)
        for number, rule in enumerate(plan.rules)
    ]
    columns = ["rule", "binds", "lost", "lost_low", "lost_high", "share", "exact"]
    return RuleCosts(
        table=pd.DataFrame(lines, columns=columns),
        rows=_rows(plan, priced.model),
        benefit=plan.benefit,
        benefit_unit=plan.benefit_unit,
    )


def _wanted(exact: bool | str | Iterable[str], plan: "Plan") -> set[str]:  # noqa: FBT001 - as in rule_costs
    titles = {r.title for r in plan.rules}
    if isinstance(exact, bool):
        return titles if exact else set()
    names = {exact} if isinstance(exact, str) else set(exact)
    if names - titles:
        unknown = min(names - titles)
        raise DataError(
            f"rule costs: no rule is called {unknown!r}; the plan has {', '.join(sorted(titles))}"
        )
    return names


def _without(priced: Priced, number: int, *, again: bool, until: float, base: float) -> dict[str, Any]:
    """Say what is lost by one rule; `base` is the bound with all rules, found as the one without it is."""
    rules = priced.model.rules
    rest = [r for i, r in enumerate(rules) if i != number]
    model = build(priced.listing, rest)
    owner = np.concatenate([np.full(len(f.labels), f.rule) for f in priced.model.families] or [np.zeros(0)])
    binds = int((np.abs(priced.found.prices[owner == number]) > 0).sum())
    if again:
        low, high, guess, exact = _planned_again(priced, model, until)
    else:
        arcs, rows = Arcs.of(model), Rows.of(model)
        bound = lowest_bound(arcs, rows, seconds=_BOUND_SECONDS).bound
        low, high, exact = 0.0, max(bound - priced.benefit, 0.0), False
        guess = min(max(bound - base, 0.0), high)
    share = guess / priced.benefit if priced.benefit > 0 else float("nan")
    return {
        "rule": rules[number].title,
        "binds": binds,
        "lost": guess,
        "lost_low": low,
        "lost_high": high,
        "share": share,
        "exact": exact,
    }


def _planned_again(priced: Priced, model: Model, until: float) -> tuple[float, float, float, bool]:
    found = solve(model, gap=0.0, seconds=max(until - time.monotonic(), 1.0))
    benefit = priced.benefit if found is None else max(found.benefit, priced.benefit)
    bound = np.inf if found is None else found.bound
    low, high = max(benefit - priced.bound, 0.0), max(bound - priced.benefit, 0.0)
    if high - low <= SAME * abs(priced.benefit):
        low = high = max(benefit - priced.benefit, 0.0)
    return low, high, float(np.clip(benefit - priced.benefit, low, high)), found is not None


def _rows(plan: "Plan", model: Model) -> pd.DataFrame:
    """Limits with a price, the dearest of each rule first, with a round step that a planner can picture."""
    table = plan.use[plan.use["price"] != 0].copy()
    column = np.array([f.column for f in model.families for _ in f.labels], dtype=object)
    table["unit"] = [measured_in(c) for c in column[table.index]]
    size = np.maximum(table["limit"].abs().to_numpy(dtype=float), 1e-9)
    table["step"] = np.where(size > 1, 10.0 ** np.floor(np.log10(np.maximum(size / 20, 1.0))), 1.0)
    table["step_brings"] = table["step"] * table["price"]
    return table.sort_values(
        ["rule", "step_brings"], key=lambda v: v if v.name == "rule" else -v.abs()
    ).reset_index(drop=True)
