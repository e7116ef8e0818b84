"""Plans nearly as good and really different, and what all of them have in common."""

import time
from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from scipy import sparse

from ccm_geo.errors import DataError, PlanError
from ccm_geo.planning._given import require_search
from ccm_geo.planning._priced import Priced, few
from ccm_geo.planning.bonuses import bonus_of, spoken
from ccm_geo.planning.choose import prioritize
from ccm_geo.planning.engine.arcs import Arcs
from ccm_geo.planning.engine.prices import Rows, lowest_bound
from ccm_geo.planning.listing import Listing
from ccm_geo.planning.model import Compiled, Family, build
from ccm_geo.planning.rules.limits import Rule, total

from .stakes import values_without

if TYPE_CHECKING:
    from ccm_geo.planning.plan import Plan


@dataclass(frozen=True)
class Apart(Rule):
    """At most so much goes to hazards on which an earlier plan works: the plan must be another one.

    Parameters
    ----------
    hazards
        Hazards of the earlier plan. In a table of options without ``hazard_id``: option ids.
    at_most
        Limit of the sum over their options.
    of
        Column that is added up; None counts options.
    name
        What to call it.

    Examples
    --------
    >>> Apart(("HA-1", "HA-2"), at_most=8e5, name="Apart from plan 1").title
    'Apart from plan 1'
    """

    hazards: tuple[str, ...]
    _: KW_ONLY
    at_most: float
    of: str | None = "cost_usd"
    name: str = ""

    def __repr__(self) -> str:
        return f"Apart({self.hazards!r}, at_most={self.at_most!r}, of={self.of!r}, name={self.name!r})"

    def compiled(self, listing: Listing, number: int) -> Compiled:
        """One row over the options of these hazards."""
        which = listing.hazard_ids.isin(list(self.hazards))[listing.hazard]
        coef = np.ones(len(which)) if self.of is None else listing.numbers(self.of, self.title)
        family = Family(
            rule=number,
            labels=(self.title,),
            key=np.where(which, 0, -1),
            coef=coef,
            pattern=sparse.csr_array(np.ones((1, 1))),
            lower=np.array([-np.inf]),
            upper=np.array([float(self.at_most)]),
            column=self.of or "",
        )
        return Compiled(families=(family,))

    def faults(self, chosen: pd.DataFrame, options: pd.DataFrame) -> list[str]:  # noqa: ARG002 - as in Rule
        """Add up what goes to these hazards."""
        spent = total(amounts_by_hazard(chosen, self.of).reindex(list(self.hazards)).dropna())
        if spent > self.at_most + 1e-6 * max(abs(self.at_most), 1.0):
            return [f"{self.title}: {spent:,.2f} of {self.at_most:,.2f}"]
        return []


def amounts_by_hazard(table: pd.DataFrame, of: str | None) -> pd.Series:
    """Add up a column by hazard; without a column, count rows."""
    ids = (table["hazard_id"] if "hazard_id" in table else table["option_id"]).astype(object)
    amounts = pd.Series(1.0, index=table.index) if of is None else table[of].astype(float)
    return amounts.groupby(ids.to_numpy()).sum()


@dataclass(frozen=True, kw_only=True, repr=False)
class Alternatives:
    """Plans to choose from: nearly as good as the best, and really different.

    Parameters
    ----------
    plans
        The plans, the one that was given first; each is one of `prioritize`, checked like any other.
    table
        One row per plan: plan, benefit (with bonuses), averted (without), share_of_best, gap (to the bound of
        the best plan), cost_usd, hazards, differs (least share by which it differs from any plan before it).
    hazards
        One row per hazard of any plan, indexed by hazard_id: plans (in how many of them it is), and proven:
        ``in every plan`` this good, different or not; or empty.
    core
        Hazards that every one of these plans works on.
    choice
        Hazards that some of them work on and others do not: here people may choose.
    said
        Why there are not more of them.
    """

    plans: tuple["Plan", ...]
    table: pd.DataFrame = field(repr=False)
    hazards: pd.DataFrame = field(repr=False)
    core: tuple[str, ...] = field(repr=False)
    choice: tuple[str, ...] = field(repr=False)
    said: str

    def __str__(self) -> str:
        proven = int((self.hazards["proven"] != "").sum())
        count = len(self.plans)
        lines = [
            f"{count} plans, each nearly as good as the first:"
            if count > 1
            else "The plan given, and no other:"
        ]
        lines += [
            f"  {row['plan']}: {few(row['benefit'])}{_apart_told(p)} "
            f"({row['share_of_best']:.2%} of the first), {row['hazards']:,} hazards"
            + (f", differs by {row['differs']:.0%}" if i else "")
            for i, (row, p) in enumerate(zip(self.table.to_dict("records"), self.plans, strict=True))
        ]
        lines.append(
            f"{len(self.core):,} {'hazard is' if len(self.core) == 1 else 'hazards are'} in all of them "
            f"({proven:,} proven: in every plan this good); {len(self.choice):,} "
            f"{'is' if len(self.choice) == 1 else 'are'} free to choose."
        )
        return "\n".join([*lines, self.said] if self.said else lines)

    def __repr__(self) -> str:
        return f"<Alternatives: {len(self.plans)} plans>"

    def _repr_html_(self) -> str:
        return str(self.table.to_html(index=False, escape=True, float_format=lambda v: f"{v:,.4g}"))


def _apart_told(plan: "Plan") -> str:
    bonus = bonus_of(plan)
    if not bonus:
        return ""
    return f" in all, {few(plan.averted)} {spoken(plan.benefit_unit)} and {few(bonus)} of bonuses"


def alternatives(
    plan: "Plan",
    *,
    k: int = 5,
    differ_by: float = 0.2,
    within: float = 0.01,
    of: str | None = "cost_usd",
    gap: float = 2e-3,
    seconds: float = 60.0,
) -> Alternatives:
    """Look for plans nearly as good as the best one, each really different from every one before it.

    A planner who sees one plan can only take it or leave it. Among plans within a percent of each other,
    access, consent, or who is ready to work may decide.

    Parameters
    ----------
    plan
        A plan from `prioritize`.
    k
        How many plans, the one given among them.
    differ_by
        Share of the money that must go elsewhere: the money two plans spend on the same hazards is at
        most 1 - differ_by of what the one spends that spends more.
    within
        Share of the benefit that another plan may lose.
    of
        Column that says how different plans are; None counts options.
    gap, seconds
        As for `prioritize`; `seconds` for all together.

    Returns
    -------
    Alternatives

    Raises
    ------
    DataError
        If a share is none, or options have no such column.

    Notes
    -----
    Each further plan is the best one of those whose money for hazards of every earlier plan P is at most
    (1 - differ_by) of what P spends: a row for each P, which is enough for the difference asked for. Where
    the bound under these rows is below (1 - within) of the given plan's benefit, no further plan of this kind
    exists, and that is said. At the prices of the plan, a hazard whose best path is worth more than the bound
    less (1 - within) of the benefit is in every plan this good, however different: proven for all plans.

    Examples
    --------
    >>> options = pd.DataFrame({"hazard_id": list("abc"), "cost_usd": [1, 1, 1], "benefit": [9.0, 5.0, 4.99]})
    >>> from ccm_geo.planning import Budget
    >>> found = alternatives(prioritize(options, [Budget(2)], exact=True), k=3, differ_by=0.5)
    >>> found.core, found.choice, found.table["differs"].tolist()[1:]
    (('a',), ('b', 'c'), [0.5])
    """
    require_search("alternatives", gap=gap, seconds=seconds)
    _require_shares(plan, k=k, differ_by=differ_by, within=within, of=of)
    until = time.monotonic() + seconds
    least = (1 - within) * plan.benefit
    plans, said = [plan], ""
    while len(plans) < k and not said:
        rules = [*plan.rules, *(_apart(p, i, differ_by, of) for i, p in enumerate(plans, 1))]
        left = until - time.monotonic()
        if left <= 0:
            said = "Time was up before another one was found."
            break
        found, said = _next(plan, rules, least, gap=gap, seconds=left / (k - len(plans)))
        plans += [found] if found is not None else []
    return _told(plan, tuple(plans), said, least=least, of=of)


def _require_shares(plan: "Plan", *, k: int, differ_by: float, within: float, of: str | None) -> None:
    if not hasattr(plan, "options"):
        raise DataError(f"give a plan from prioritize, not a {type(plan).__name__}")
    for name, value in (("k", k), ("differ_by", differ_by), ("within", within)):
        if isinstance(value, bool) or not isinstance(value, (int, float, np.number)):
            raise DataError(f"alternatives: {name} must be a number, not {value!r}")
    if k != int(k):
        raise DataError(f"alternatives: k counts plans, so it is a whole number, not {k!r}")
    if k < 1 or not 0 < differ_by <= 1 or not 0 <= within < 1:
        raise DataError("alternatives: k from 1; differ_by above 0 up to 1; within from 0 to below 1")
    if of is not None and of not in plan.table:
        raise DataError(f"alternatives: options have no column {of!r}; give of=None to count options")
    if plan.table.empty:
        raise DataError("alternatives: the plan does nothing, so nothing differs from it")


def _apart(plan: "Plan", number: int, differ_by: float, of: str | None) -> Apart:
    amounts = amounts_by_hazard(plan.table, of)
    limit = (1 - differ_by) * float(amounts.sum())
    return Apart(tuple(amounts.index), at_most=limit, of=of, name=f"Apart from plan {number}")


def _next(
    plan: "Plan", rules: Sequence[Rule], least: float, *, gap: float, seconds: float
) -> tuple["Plan | None", str]:
    """Return the best plan under these rules if it is good enough; else say why there is none."""
    model = build(Listing.of(plan.options), rules)
    arcs, rows = Arcs.of(model), Rows.of(model)
    none = "No further plan that differs so much is this good (proven)."
    if lowest_bound(arcs, rows, seconds=seconds / 3).bound < least:
        return None, none
    try:
        found = prioritize(plan.options, rules, gap=gap, seconds=seconds / 2)
    except PlanError:
        return None, "No further plan was found that differs so much and keeps all rules."
    if found.bound < least:
        return None, none
    if found.benefit < least:
        return None, (
            f"The next plan found brings {few(found.benefit)}, too little; that none is better is not proven."
        )
    return found, ""


def difference(a: "Plan", b: "Plan", of: str | None = "cost_usd") -> float:
    """Return the share of what the larger plan spends that goes to hazards on which the other does less."""
    one, two = amounts_by_hazard(a.table, of), amounts_by_hazard(b.table, of)
    both = pd.concat([one, two], axis=1).fillna(0.0)
    most = float(max(one.sum(), two.sum()))
    return 1.0 - float(both.min(axis=1).sum()) / most if most > 0 else 0.0


def _told(
    plan: "Plan", plans: tuple["Plan", ...], said: str, *, least: float, of: str | None
) -> Alternatives:
    inside = pd.DataFrame({i: p.reasons["chosen"] for i, p in enumerate(plans)}).fillna(value=False)
    counts = inside.sum(axis=1)
    kept = counts[counts > 0].astype(int)
    always = _in_every(plan, least)
    proven = np.where(kept.index.isin(always), "in every plan", "")
    rows = [
        {
            "plan": f"plan {i}",
            "benefit": p.benefit,
            "averted": p.averted,
            "share_of_best": p.benefit / plan.benefit if plan.benefit > 0 else 1.0,
            "gap": max(0.0, (plan.bound - p.benefit) / plan.bound) if plan.bound > 0 else 0.0,
            "cost_usd": p.cost_usd,
            "hazards": int(p.reasons["chosen"].sum()),
            "differs": min((difference(p, q, of) for q in plans[: i - 1]), default=float("nan")),
        }
        for i, p in enumerate(plans, 1)
    ]
    return Alternatives(
        plans=plans,
        table=pd.DataFrame(rows),
        hazards=pd.DataFrame({"plans": kept, "proven": proven}, index=kept.index),
        core=tuple(kept.index[kept == len(plans)]),
        choice=tuple(kept.index[kept < len(plans)]),
        said=said,
    )


def _in_every(plan: "Plan", least: float) -> pd.Index:
    """Hazards without which no plan reaches `least`, proven at the plan's prices."""
    priced = Priced.of(plan)
    without = np.minimum(priced.found.bound - values_without(priced), priced.bound)
    return priced.listing.hazard_ids[without < least - 1e-9 * abs(least)]
