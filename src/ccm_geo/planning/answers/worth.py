"""What each rule costs in benefit, and what one more unit of each limit would bring."""

import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from ccm_geo.errors import DataError
from ccm_geo.planning._given import require_search
from ccm_geo.planning._priced import SAME, Priced, few
from ccm_geo.planning.bonuses import bonus_of, counted_in, has_bonuses, spoken, told_apart
from ccm_geo.planning.engine.arcs import Arcs
from ccm_geo.planning.engine.prices import Rows, lowest_bound
from ccm_geo.planning.engine.solve import Solution, solve
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
        benefit), exact (whether it was planned again without the rule). All these count bonuses in. Without:
        averted_most (no plan without the rule averts more than so much more); where it was planned again,
        averted_more and bonus_more (what that plan averts more, and has more of bonuses; less below 0); and
        gives_bonuses (whether the rule does).
    rows
        One row per limit that has a price: rule, row, limit, used, price (benefit of one more unit of the
        limit; for a floor, what one unit moved there costs), unit, step (a round number of units) and
        step_brings.
    benefit
        What the plan brings: what it averts, and its bonuses.
    benefit_unit
        Unit of benefit and losses.
    bonus
        What of the benefit is bonuses; None where no rule gives any.
    """

    table: pd.DataFrame = field(repr=False)
    rows: pd.DataFrame = field(repr=False)
    benefit: float
    benefit_unit: str
    bonus: float | None = None

    def __str__(self) -> str:
        bonus = self.bonus or 0.0
        whole = counted_in(self.benefit_unit, bonuses=self.bonus is not None)
        lines = [f"What the rules cost, of {told_apart(self.benefit - bonus, bonus, self.benefit_unit)}:"]
        lines += [f"  without {row['rule']}: {self._told(row)}" for row in self.table.to_dict("records")]
        for row in self.rows.groupby("rule", sort=False).head(_SHOWN).to_dict("records"):
            verb = "would bring" if row["step_brings"] >= 0 else "for it would cost"
            step, brings = few(row["step"]), few(abs(row["step_brings"]))
            unit = (
                row["unit"].removesuffix("s") if row["step"] == 1 and row["unit"] != "units" else row["unit"]
            )
            told = f"{step} {unit} more {verb} about {brings} {whole}"
            lines.append(f"  {row['row']}: {told}")
        return "\n".join(lines)

    def _told(self, row: dict[Any, Any]) -> str:
        """Say what one rule costs; where there are bonuses, in accidents and in bonuses."""
        low, lost, high = (few(row[name]) for name in ("lost_low", "lost", "lost_high"))
        more = f"about {lost} (proven: {low} to {high}) more"
        if row["lost_high"] - row["lost_low"] <= 1e-6 * abs(self.benefit):
            more = f"exactly {lost} more"
        elif low == high:
            more = f"{lost} more (proven)"
        if self.bonus is None:
            return more
        unit = spoken(self.benefit_unit)
        both = f"{unit} {_signed(row['averted_more'])}, bonuses {_signed(row['bonus_more'])}"
        if row["gives_bonuses"]:  # without it the benefit is another quantity
            return both if row["exact"] else f"at most {few(row['averted_most'])} more {unit}"
        return f"{more} in all ({both})" if row["exact"] else f"{more} in all, bonuses counted in"

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
    require_search("rule costs", seconds=seconds)
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
    columns += ["averted_more", "averted_most", "bonus_more", "gives_bonuses"]
    return RuleCosts(
        table=pd.DataFrame(lines, columns=columns),
        rows=_rows(plan, priced.model),
        benefit=plan.benefit,
        benefit_unit=plan.benefit_unit,
        bonus=bonus_of(plan) if has_bonuses(plan.rules) else None,
    )


def _wanted(exact: bool | str | Iterable[str], plan: "Plan") -> set[str]:  # noqa: FBT001 - as in rule_costs
    titles = {r.title for r in plan.rules}
    if isinstance(exact, bool):
        return titles if exact else set()
    if not isinstance(exact, Iterable):
        raise DataError(f"rule costs: exact is True, a title or a list of titles, not {exact!r}")
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
        found = solve(model, gap=0.0, seconds=max(until - time.monotonic(), 1.0))
        low, high, guess, exact = _planned_again(priced, found)
        bound = np.inf if found is None else found.bound
    else:
        found = None
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
        **_told_apart(priced, found, bound, gives=has_bonuses([rules[number]])),
    }


def _told_apart(priced: Priced, found: Solution | None, bound: float, *, gives: bool) -> dict[str, Any]:
    """Say what a plan without the rule averts more, and what it has more of bonuses."""
    benefit = priced.listing.benefit
    averted = float(benefit[priced.taken].sum())
    more = bonus = float("nan")
    if found is not None and not gives and found.benefit - priced.benefit <= SAME * abs(priced.benefit):
        more = bonus = 0.0  # the plan itself is as good as any without the rule
    elif found is not None:
        more = _change(float(benefit[found.taken].sum()) - averted, priced.benefit)
        bonus = _change(found.benefit - priced.benefit - more, priced.benefit)
    return {
        "averted_more": more,
        "averted_most": max(bound - averted, 0.0),
        "bonus_more": bonus,
        "gives_bonuses": gives,
    }


def _change(amount: float, of: float) -> float:
    return amount if abs(amount) > SAME * abs(of) else 0.0


def _signed(amount: float) -> str:
    return f"{'+' if amount > 0 else '-' if amount < 0 else ''}{few(abs(amount))}"


def _planned_again(priced: Priced, found: Solution | None) -> tuple[float, float, float, bool]:
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
