"""What offices do today: spend the money down a ranked list; and how that compares with a plan."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from ccm_geo.errors import DataError

from .bonuses import spoken
from .engine.arcs import Arcs
from .engine.prices import plain, walk
from .listing import Floats, Ints, Listing, Mask, leads_on
from .model import Model, build
from .rules.donors import Donors
from .rules.promises import LockOut

if TYPE_CHECKING:
    from .plan import Plan


_NEARLY = 0.95  # of the plan's money; a list that spends less meets other limits first


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """A plan beside the same money spent down a ranked list.

    Parameters
    ----------
    plan_benefit, ranking_benefit
        What each averts, without bonuses.
    plan_bonus, ranking_bonus
        What hazards bring together besides, by the plan's rules.
    plan_cost_usd, ranking_cost_usd
        What each spends.
    plan_hazards, ranking_hazards
        On how many hazards something is done.
    table
        Options that the ranked list takes.
    benefit_unit
        Unit of the benefits.
    """

    plan_benefit: float
    ranking_benefit: float
    plan_bonus: float
    ranking_bonus: float
    plan_cost_usd: float
    ranking_cost_usd: float
    plan_hazards: int
    ranking_hazards: int
    table: pd.DataFrame = field(repr=False)
    benefit_unit: str

    @property
    def lost(self) -> float:
        """Benefit that the ranked list leaves on the table; below 0 where the plan gave it up for bonuses."""
        return self.plan_benefit - self.ranking_benefit

    @property
    def lost_share(self) -> float:
        """The same as a share of what the plan averts."""
        return self.lost / self.plan_benefit if self.plan_benefit > 0 else 0.0

    def __str__(self) -> str:
        unit = self.benefit_unit
        rows = [
            ("", "plan", "ranked list"),
            (unit, f"{self.plan_benefit:,.4g}", f"{self.ranking_benefit:,.4g}"),
            ("bonuses", f"{self.plan_bonus:,.4g}", f"{self.ranking_bonus:,.4g}"),
            ("USD spent", f"{self.plan_cost_usd:,.0f}", f"{self.ranking_cost_usd:,.0f}"),
            ("hazards worked on", f"{self.plan_hazards:,}", f"{self.ranking_hazards:,}"),
        ]
        if not (self.plan_bonus or self.ranking_bonus):
            rows = [row for row in rows if row[0] != "bonuses"]
        wide = [max(len(r[i]) for r in rows) for i in range(3)]
        lines = [f"{a:<{wide[0]}}  {b:>{wide[1]}}  {c:>{wide[2]}}" for a, b, c in rows]
        return "\n".join([*lines, self.verdict])

    @property
    def verdict(self) -> str:
        """Say in a sentence what a ranked list loses; it may win, as it is held to fewer rules."""
        if self.lost < 0:
            more = f"{-self.lost:,.4g} {spoken(self.benefit_unit)} more"
            bonus = " and is not after bonuses" if self.plan_bonus else ""
            return (
                f"A ranked list comes to {more}, for {self.ranking_cost_usd:,.0f} USD; it is held to fewer "
                f"rules than the plan, keeps neither deadlines nor promises or shares{bonus}."
            )
        lost = f"{self.lost:,.4g} {spoken(self.benefit_unit)} ({self.lost_share:.0%})"
        told = f"The same money spent down the ranked list loses {lost}"
        if self.ranking_cost_usd < _NEARLY * self.plan_cost_usd:
            told += f"; it can spend only {self.ranking_cost_usd:,.0f} USD of it before other limits stop it"
        return f"{told}."


def down_the_list(plan: "Plan", ranking: pd.Series | None) -> Comparison:
    """Release hazard by hazard in the order of the list, within the plan's upper limits."""
    listing = Listing.of(plan.options)
    limits = build(listing, [r for r in plan.rules if not _only_floors(r)])
    rank = _ranked(listing, ranking)
    taken = _spend(limits, rank)
    table = listing.frame[taken].reset_index(drop=True)
    money = "cost_usd" in table
    return Comparison(
        plan_benefit=plan.averted,
        ranking_benefit=float(table["benefit"].sum()),
        plan_bonus=float(plan.bonuses["bonus"].sum()),
        ranking_bonus=float(sum(sum(r.bonuses(table, plan.options).values()) for r in plan.rules)),
        plan_cost_usd=plan.cost_usd,
        ranking_cost_usd=float(table["cost_usd"].sum()) if money else float("nan"),
        plan_hazards=int(plan.reasons["chosen"].sum()),
        ranking_hazards=int(table["hazard_id"].nunique()),
        table=table,
        benefit_unit=plan.benefit_unit,
    )


def _only_floors(rule: Any) -> bool:
    """Say whether a rule is unknown to a list: it knows budgets and what is shut out, nothing else."""
    return not (hasattr(rule, "amount") or isinstance(rule, (LockOut, Donors)))


def _ranked(listing: Listing, ranking: pd.Series | None) -> Floats:
    if ranking is None:
        most = np.zeros(len(listing.hazard_ids))
        np.maximum.at(most, listing.hazard, listing.benefit)
        return most
    if isinstance(ranking, pd.DataFrame):
        if not {"hazard_id", "score"} <= set(ranking.columns):
            raise DataError(
                "ranking: give a score by hazard id, for example scores.set_axis(facts['hazard_id'])['score']"
            )
        ranking = ranking.set_index("hazard_id")["score"]
    if not isinstance(ranking, pd.Series):
        raise DataError(
            "ranking: give a pandas.Series of scores by hazard id, for example "
            f"pd.Series({{'HA-1': 0.7}}), not a {type(ranking).__name__}"
        )
    if not pd.api.types.is_numeric_dtype(ranking):
        raise DataError("ranking: its scores must be numbers, highest first; this one holds text")
    score = ranking[~ranking.index.duplicated()].reindex(listing.hazard_ids)
    if score.isna().all():
        raise DataError(
            "ranking: its index names none of the plan's hazards; give a score by hazard id, "
            "for example scores['score'].set_axis(facts['hazard_id'])"
        )
    return score.to_numpy(dtype=float, na_value=-np.inf)


def _spend(model: Model, rank: Floats) -> Mask:
    listing = model.listing
    taken = np.zeros(len(listing.benefit), bool)
    left = [np.array(f.upper) for f in model.families]
    spent = [np.zeros(f.pattern.shape[0]) for f in model.families]
    done = np.zeros(len(rank), bool)
    order = np.argsort(-rank, kind="stable")
    for year in listing.years:
        path = _cheapest_release(model, int(year))
        rows = np.nonzero(path)[0]
        begin = np.searchsorted(listing.hazard[rows], np.arange(len(rank) + 1))
        uses = [_uses(f, rows) for f in model.families]
        for h in order:
            mine = slice(begin[h], begin[h + 1])
            if done[h] or mine.start == mine.stop or rank[h] == -np.inf:
                continue
            takes = [u[mine].sum(axis=0) for u in uses]
            fits = all((t <= room + 1e-9).all() for t, room in zip(takes, left, strict=True))
            if fits and _paid(model, spent, rows[mine]):
                done[h] = True
                taken[rows[mine]] = True
                left = [room - t for room, t in zip(left, takes, strict=True)]
    return taken


def _paid(model: Model, spent: list[Floats], rows: Ints) -> bool:
    """Say whether options break no row that is not laid out either; if so, add them to what is spent."""
    more = []
    for family, before in zip(model.families, spent, strict=True):
        held = rows[family.key[rows] >= 0]
        after = before.copy()
        np.add.at(after, family.key[held], family.coef[held])
        if family.hidden is not None and not (family.hidden.complete or family.hidden.pay(after)):
            return False
        more.append(after)
    spent[:] = more
    return True


def _uses(family: Any, rows: Any) -> Floats:
    """Say what each option takes of each row of the family, shape ``(options, rows)``."""
    key = family.key[rows]
    dense = family.pattern.toarray()[np.maximum(key, 0)]
    out: Floats = np.where((key >= 0)[:, None], dense * family.coef[rows][:, None], 0.0)
    return out


def _cheapest_release(model: Model, year: int) -> Mask:
    """Each hazard's cheapest way to its last state within one year; nothing where there is none."""
    listing = model.listing
    this = model.allowed & (listing.year == year) & (listing.src != listing.dst)
    arcs = Arcs.of(plain(listing, this))
    cost = (
        listing.frame["cost_usd"].to_numpy(dtype=float)
        if "cost_usd" in listing.frame
        else np.zeros(len(this))
    )
    pull = 1.0 + 2.0 * cost.sum()
    value = np.where(leads_on(listing), 0.0, pull)[arcs.origin] - cost[arcs.origin]
    taken, best, _ = walk(arcs, value, 1)
    whole = np.zeros(len(this), bool)
    whole[arcs.origin[taken & (best > 0)[arcs.hazard]]] = True
    return whole
