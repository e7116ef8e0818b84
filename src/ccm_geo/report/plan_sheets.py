"""The sheets that list activities: year by year, and those that are decided now whatever money comes."""

from collections.abc import Iterable
from typing import Any

import pandas as pd

from ccm_geo.planning import AdaptivePlan, Plan

from .sheets import Sheet

AREAS = ("area_m2", "cancelled_m2", "reduced_m2", "cleared_m2", "left_m2")
_FRONT = (
    "year",
    "hazard_id",
    "name",
    "activity",
    "naive",
    "adm1",
    "adm2",
    "cost_usd",
    "team_months",
    "benefit",
)
_ELSEWHERE = {  # told of the hazard itself in the ranked list, or of no use to a reader
    *("lon", "lat", "state_now", "state_from", "state_to", "option_id", "people"),
    *("hazard_class", "ordnance", "land_use", "area_m2"),
}


def there(table: pd.DataFrame, names: Iterable[str]) -> list[str]:
    """Name the columns that a table has."""
    return [name for name in names if name in table.columns]


def plain_facts(facts: pd.DataFrame) -> pd.DataFrame:
    """Drop shapes, which are no business of a spreadsheet."""
    return pd.DataFrame(facts.loc[:, [str(kind) != "geometry" for kind in facts.dtypes]])


def of_hazards(facts: pd.DataFrame, hazards: "pd.Series[Any]", columns: Iterable[str]) -> pd.DataFrame:
    """Give what is known of hazards named by id, on the index of their names."""
    known = plain_facts(facts).drop_duplicates("hazard_id").set_index("hazard_id")
    found = known[there(known, columns)].reindex(hazards)
    found.index = hazards.index
    return found


def years_sheet(plan: Plan, facts: pd.DataFrame) -> Sheet:
    """List every activity of a plan with totals by year."""
    about = "Every activity of the plan; rows fold away under the total of their year."
    return _activities("Plan by year", about, plan.table, plan, facts)


def first_sheet(found: AdaptivePlan, facts: pd.DataFrame) -> Sheet:
    """List what is decided now, whatever money comes."""
    about = (
        f"What is done before {found.funding.known_from}, whatever money comes; naive says whether a plan "
        f"that takes '{found.funding.names[0]}' for certain does it too."
    )
    if found.first.empty:
        words = f"Nothing is decided before {found.funding.known_from}; everything waits for the money."
        return Sheet(name="Decided now", table=pd.DataFrame({"note": [words]}), about=about)
    naive = found.first["option_id"].isin(found.naive_first["option_id"])
    return _activities("Decided now", about, found.first.assign(naive=naive), found.plan, facts)


def _activities(name: str, about: str, rows: pd.DataFrame, plan: Plan, facts: pd.DataFrame) -> Sheet:
    chosen = rows.copy()
    if "hazard_id" in chosen:
        named = of_hazards(facts, chosen["hazard_id"], ["name"])
        chosen = chosen.assign(**{c: named[c] for c in named})
    first = there(chosen, _FRONT)
    chosen = chosen[[*first, *[c for c in chosen.columns if c not in {*_ELSEWHERE, *first}]]]
    blocks, totals, at = [], set(), 0
    years = chosen["year"] if "year" in chosen else pd.Series(0, index=chosen.index)
    for year, own in chosen.groupby(years, sort=True):
        blocks += [own, _total(own, f"Total {year}: {_money_used(plan, year)}")]
        at += len(own) + 1
        totals.add(at - 1)
    blocks.append(_total(chosen, "Total of all years"))
    totals.add(at)
    table = pd.concat([b for b in blocks if len(b)], ignore_index=True)
    return Sheet(name=name, table=table, about=about, totals=frozenset(totals))


def _total(rows: pd.DataFrame, words: str) -> pd.DataFrame:
    """Sum up what adds up; land left is taken once per hazard, after its last activity."""
    line: dict[Any, Any] = dict.fromkeys(rows.columns)
    line["hazard_id" if "hazard_id" in line else rows.columns[0]] = words
    for name in there(rows, ("cost_usd", "team_months", "benefit", *AREAS[1:4])):
        line[name] = rows[name].sum()
    if "left_m2" in rows and "hazard_id" in rows:
        line["left_m2"] = rows.groupby("hazard_id", observed=True)["left_m2"].min().sum()
    return pd.DataFrame([line]).astype(object)


def _money_used(plan: Plan, year: Any) -> str:
    rows = len(plan.table[plan.table["year"] == year]) if "year" in plan.table else len(plan.table)
    spoken = f"{rows:,} {'activity' if rows == 1 else 'activities'}"
    use = plan.use
    mine = use[use["row"].astype(str).str.fullmatch(rf"Budget.*\b{year}\b.*")] if len(use) else use
    if len(mine) != 1 or not mine["limit"].iloc[0] > 0:
        return spoken
    limit, used = float(mine["limit"].iloc[0]), float(mine["used"].iloc[0])
    return f"{spoken}, {used:,.0f} of {limit:,.0f} USD ({used / limit:.1%})"
