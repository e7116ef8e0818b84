"""An order of hazards that stays as money grows, and what it costs that it does."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd

from ccm_geo.errors import CcmGeoError, PlanError
from ccm_geo.planning._given import require_search
from ccm_geo.planning.bonuses import has_bonuses, told_apart
from ccm_geo.planning.engine.arcs import Arcs
from ccm_geo.planning.engine.solve import solve
from ccm_geo.planning.findings import read_rules
from ccm_geo.planning.listing import Ints, Listing, Mask, activities_of, by_hazard, money_of
from ccm_geo.planning.model import Completion, Model, build
from ccm_geo.planning.rules.limits import Rule
from ccm_geo.schemas import Note

from .curve import Money, faults, worked

_SHOWN = 10


@dataclass(frozen=True, kw_only=True, repr=False)
class Nested:
    """Plans for growing money, each of which holds all of the one before.

    Parameters
    ----------
    order
        One row per hazard that enters, in the order of entering: place (1 is first), hazard_id, activities,
        enters_usd (the smallest of the amounts whose plan holds it), cost_usd, benefit, and adm1 where known.
        Among hazards that enter together, benefit per dollar decides.
    table
        One row per amount: amount_usd, hazards, cost_usd, benefit (of the nested plan, with bonuses), averted
        (without), nested_gap (from a bound on plans that hold the one before), free_benefit and bound (of
        plans that need not be nested), lost (share of the free plan's benefit that nesting costs) and
        lost_at_most (of the bound: proven).
    built
        ``up`` (from the least money, keeping all that is chosen) or ``down`` (from the most money, leaving
        out ever more): the one that loses less was taken.
    notes
        What was assumed or left out.
    benefit_unit
        Unit of the benefits.
    with_bonuses
        Whether a rule gives bonuses, which the benefits of the table count in; those of `order` do not.
    """

    order: pd.DataFrame = field(repr=False)
    table: pd.DataFrame = field(repr=False)
    built: str
    notes: tuple[Note, ...]
    benefit_unit: str
    with_bonuses: bool = False

    def __str__(self) -> str:
        lines = [f"An order of {len(self.order):,} hazards that stays as money grows:"]
        lines += [
            f"  {row['amount_usd']:>15,.0f} USD: {row['hazards']:,} hazards, {self._brings(row)}"
            f"; a plan for this money alone brings {row['lost']:.2%} more "
            f"(at most {row['lost_at_most']:.2%})"
            for row in self.table.to_dict("records")
        ]
        first = self.order.head(_SHOWN).to_dict("records")
        lines += [f"  {row['place']}. {row['hazard_id']}: {row['activities']}" for row in first]
        more = len(self.order) - _SHOWN
        return "\n".join([*lines, f"  ... and {more:,} more"] if more > 0 else lines)

    def _brings(self, row: dict[Any, Any]) -> str:
        bonus = row["benefit"] - row["averted"] if self.with_bonuses else 0.0
        return told_apart(row["benefit"] - bonus, bonus, self.benefit_unit)

    def __repr__(self) -> str:
        return f"<Nested order of {len(self.order):,} hazards, {len(self.table)} budgets>"

    def _repr_html_(self) -> str:
        shown = (self.table, self.order.head(20))
        return "".join(t.to_html(index=False, escape=True, float_format=lambda v: f"{v:,.4g}") for t in shown)


def nested_order(
    options: pd.DataFrame,
    rules: Sequence[Rule],
    *,
    amounts: Sequence[float] | None = None,
    shares: Sequence[float] | None = None,
    budget: str | None = None,
    gap: float = 5e-3,
    seconds: float = 120.0,
) -> Nested:
    """Put hazards in an order that stays as money grows: the plan for more money holds all of that for less.

    Money comes late and in parts. With a nested order nobody who was promised work loses it when more money
    comes; what comes next goes to the next hazards. Plans made for each amount by itself are better; by how
    much, is told.

    Parameters
    ----------
    options, rules
        As for `prioritize`.
    amounts, shares, budget
        Amounts of money, as for `priority_curve`.
    gap
        How far from the best is good enough, for every plan.
    seconds
        For all plans together.

    Returns
    -------
    Nested

    Raises
    ------
    DataError
        If it is not clear which money to vary, or an amount is none.
    PlanError
        If one of the amounts allows no plan, or no nested plan.

    Notes
    -----
    Built twice. Up: the plan for the least money is kept as it is, row by row (a hazard's work may be
    continued in later years), and the rest of the money is planned around it. Down: the plan for the most
    money is the list from which the plan for less is chosen, and so on. The one with the smaller loss on
    average is returned. Neither is proven to be the best nesting; `lost_at_most` says what any nesting could
    still gain.

    Examples
    --------
    >>> options = pd.DataFrame({"hazard_id": list("abc"), "cost_usd": [2, 1, 1], "benefit": [5.0, 3.0, 1.0]})
    >>> from ccm_geo.planning import Budget
    >>> nested = nested_order(options, [Budget(1)], amounts=[1, 2, 3])
    >>> nested.order[["hazard_id", "enters_usd"]].values.tolist()
    [['a', 2.0], ['b', 3.0]]
    """
    require_search("nested order", gap=gap, seconds=seconds)
    given = read_rules(rules)
    listing = Listing.of(options)
    money = Money.of(listing, given, budget)
    wanted = money.shares(amounts, shares)
    models = [build(listing, money.at(share)) for share in wanted]
    until = time.monotonic() + seconds
    free = _free(models, gap=gap, until=until)
    chains = {
        "up": _up(models, free, gap=gap, until=until),
        "down": _down(models, free, gap=gap, until=until),
    }
    found = {name: chain for name, chain in chains.items() if chain is not None}
    if not found:
        raise PlanError(
            "nested order: no nested plans were found that keep all rules at every amount",
            cures=[
                "give fewer or other amounts",
                "loosen floors and promises, which small plans may not hold",
            ],
        )
    free = [max(steps, key=lambda s: s.benefit) for steps in zip(free, *found.values(), strict=True)]
    best = np.array([f.benefit for f in free])
    lost = {n: np.mean(best - [s.benefit for s in c]) for n, c in found.items()}
    built = min(found, key=lambda name: lost[name])
    unit = "accidents averted" if "activity" in options else "benefit"
    return Nested(
        order=_order(listing, found[built], [money.amount(s) for s in wanted]),
        table=_table(listing, found[built], free, [money.amount(s) for s in wanted]),
        built=built,
        notes=tuple(dict.fromkeys(n for m in models for n in m.notes)),
        benefit_unit=str(options.attrs.get("benefit_unit", unit)),
        with_bonuses=has_bonuses(money.rules),
    )


@dataclass(frozen=True, kw_only=True)
class _Step:
    """The plan for one amount, and a bound."""

    taken: Mask
    benefit: float
    bound: float


def _free(models: list[Model], *, gap: float, until: float) -> list[_Step]:
    """Plan for each amount by itself."""
    steps = []
    for i, model in enumerate(models):
        seconds = _part(until, 3 * len(models) - i)
        found = solve(model, gap=gap, seconds=seconds)
        if found is None:
            raise PlanError(
                "nested order: no plan was found for the smallest amounts of money that keeps all rules",
                cures=["leave the smallest amounts out", "give more seconds="],
            )
        steps.append(_Step(taken=found.taken, benefit=found.benefit, bound=found.bound))
    return steps


def _part(until: float, steps_left: int) -> float:
    """Share out what time is left."""
    return max(until - time.monotonic(), 1.0) / max(steps_left, 1)


def _down(models: list[Model], free: list[_Step], *, gap: float, until: float) -> list[_Step] | None:
    """From the most money: each plan is chosen from the one for more."""
    chain = [free[-1]]
    for i in range(len(models) - 2, -1, -1):
        inside = replace(models[i], allowed=models[i].allowed & chain[0].taken)
        found = solve(inside, gap=gap, seconds=_part(until, len(models) + i))
        if found is None:
            return None
        chain.insert(0, _sound(models[i], found.taken, found.bound))
    return chain


def _up(models: list[Model], free: list[_Step], *, gap: float, until: float) -> list[_Step] | None:
    """From the least money: each plan keeps the one for less and spends the rest around it."""
    chain = [free[0]]
    for i, model in enumerate(models[1:], start=1):
        before = chain[-1].taken
        rest, kept = around(model, before)
        found = solve(rest, gap=gap, seconds=_part(until, len(models) - i))
        if found is None:
            return None
        bound = kept + found.bound if not model.pairs else free[i].bound
        chain.append(_sound(model, before | found.taken, bound))
    return chain


def _sound(model: Model, taken: Mask, bound: float) -> _Step:
    """Add up a plan again and have it checked."""
    benefit = worth(model, taken)
    wrong = faults(model, taken, benefit)
    if wrong:
        raise CcmGeoError("nested order: a plan fails its own check; please report this: " + wrong[0])
    return _Step(taken=taken, benefit=benefit, bound=max(bound, benefit))


def worth(model: Model, taken: Mask) -> float:
    """Add up what options avert and what their hazards bring together."""
    arcs = Arcs.of(replace(model, allowed=np.ones(len(taken), bool)))
    return arcs.worth(taken)


def around(model: Model, kept: Mask) -> tuple[Model, float]:
    """Make the model of what can be added to a plan that is kept, and say what that plan is worth.

    Limits shrink by what it uses. Its hazards go on from the state in which it leaves them, in later years.
    """
    listing = model.listing
    last = np.full(len(listing.hazard_ids), np.iinfo(np.int64).min)
    np.maximum.at(last, listing.hazard[kept], listing.year[kept])
    start = listing.start.copy()
    np.maximum.at(start, listing.hazard[kept], listing.dst[kept])
    later = listing.year > last[listing.hazard]
    on = worked(listing, kept)
    families = []
    for family in model.families:
        spent = family.by_key(kept)
        used = family.pattern.T @ spent
        hidden = None if family.hidden is None else family.hidden.less(spent)
        families.append(replace(family, lower=family.lower - used, upper=family.upper - used, hidden=hidden))
    marks = []
    for mark in model.marks:
        done = worked(listing, kept & mark.sets)
        marks.append(replace(mark, asks=mark.asks & ~done[listing.hazard], must=mark.must & ~done))
    arcs = Arcs.of(replace(model, allowed=np.ones(len(kept), bool)))
    rest = replace(
        model,
        listing=replace(listing, start=start),
        families=tuple(families),
        marks=tuple(marks),
        allowed=model.allowed & np.where(on[listing.hazard], later, True) & ~kept,
        completions=tuple(_left_to_complete(c, arcs.done(kept), arcs.years) for c in model.completions),
    )
    return rest, arcs.worth(kept)


def _left_to_complete(completion: Completion, done: Ints, years: int) -> Completion:
    """Leave out the hazards that are done; a group waits for the last of them, and brings nothing twice."""
    held, ready = completion.group >= 0, done < years
    last = np.zeros(len(completion.labels), np.int64)
    np.maximum.at(last, completion.group[held & ready], done[held & ready])
    open_ = np.zeros(len(completion.labels), bool)
    open_[completion.group[held & ~ready]] = True
    by = np.maximum(np.arange(years), last[:, None])
    worth = np.take_along_axis(completion.worth, by, axis=1)
    return replace(
        completion,
        group=np.where(held & ~ready, completion.group, -1),
        worth=np.where(open_[:, None], worth, 0.0),
    )


def _table(listing: Listing, chain: list[_Step], free: list[_Step], amounts: list[float]) -> pd.DataFrame:
    cost = money_of(listing)
    benefit, own = (np.array([s.benefit for s in steps]) for steps in (chain, free))
    bound = np.maximum(np.array([s.bound for s in free]), own)
    nested = np.array([s.bound for s in chain])
    with np.errstate(divide="ignore", invalid="ignore"):
        lost, most, gap = (np.where(top > 0, (top - benefit) / top, 0.0) for top in (own, bound, nested))
    return pd.DataFrame(
        {
            "amount_usd": amounts,
            "hazards": [int(worked(listing, s.taken).sum()) for s in chain],
            "cost_usd": [float(cost[s.taken].sum()) for s in chain],
            "benefit": benefit,
            "averted": [float(listing.benefit[s.taken].sum()) for s in chain],
            "nested_gap": gap,
            "free_benefit": own,
            "bound": bound,
            "lost": lost,
            "lost_at_most": most,
        }
    )


def _order(listing: Listing, chain: list[_Step], amounts: list[float]) -> pd.DataFrame:
    inside = np.array([worked(listing, s.taken) for s in chain])
    entered = inside.any(axis=0)
    step = np.where(entered, inside.argmax(axis=0), len(chain))
    cost, benefit = np.zeros(len(step)), np.zeros(len(step))
    for i, plan in enumerate(chain):
        cost[step == i] = by_hazard(listing, plan.taken, money_of(listing))[step == i]
        benefit[step == i] = by_hazard(listing, plan.taken, listing.benefit)[step == i]
    with np.errstate(divide="ignore", invalid="ignore"):
        yields = np.where(cost > 0, benefit / cost, np.inf)
    which = np.lexsort((-yields, step))[: int(entered.sum())]
    frame = pd.DataFrame(
        {
            "place": np.arange(1, len(which) + 1),
            "hazard_id": listing.hazard_ids[which],
            "activities": activities_of(listing, chain[-1].taken).to_numpy()[which],
            "enters_usd": np.array(amounts)[step[which]],
            "cost_usd": cost[which],
            "benefit": benefit[which],
        }
    )
    if "adm1" in listing.frame:
        frame["adm1"] = listing.frame["adm1"].to_numpy()[listing.first[:-1]][which]
    return frame
