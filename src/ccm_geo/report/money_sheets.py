"""The sheets about money that may be cut or stop: scenarios, what changes with them, a responsible halt."""

from typing import Any

import pandas as pd

from ccm_geo.planning import AdaptivePlan, Budget, Halt

from .plan_sheets import first_sheet, of_hazards
from .sheets import Sheet, with_totals

_NOT_PLANNED = "not in the plan"
_NEAR = ("name", "adm1", "adm2", "people_near")


def scenario_sheets(found: AdaptivePlan, facts: pd.DataFrame) -> list[Sheet]:
    """Tell the scenarios, what is decided now, and what changes by what comes."""
    return [_scenarios(found), first_sheet(found, facts), _by_scenario(found, facts)]


def scenario_shown(found: AdaptivePlan) -> str:
    """Say which scenario's plan the other sheets show."""
    name = found.funding.names[0]
    return (
        f"The sheets that show one plan show the one for '{name}' "
        f"({found.funding.probabilities[name]:.0%}); before {found.funding.known_from} it is the same "
        "whatever comes."
    )


def _scenarios(found: AdaptivePlan) -> Sheet:
    table = found.scenarios.reset_index()
    by_year = [_by_year(found, name) for name in table["scenario"]]
    years = sorted({year for one in by_year for year in one})
    for place, year in enumerate(years):
        table.insert(3 + place, f"money_usd {year}", [one.get(year) for one in by_year])
    chance = table["probability"]
    mean = {c: float((table[c].astype(float) * chance).sum(skipna=False)) for c in table.columns[2:]}
    lines = [
        {"scenario": "Expected", "probability": 1.0, **mean},
        {"scenario": f"Mean of the worst {found.alpha:.0%}", "benefit": found.tail},
    ]
    unit = "units of relative harm" if found.benefit_unit == "relative" else found.benefit_unit
    return Sheet(
        name="Scenarios",
        table=pd.concat([table.astype(object), pd.DataFrame(lines).astype(object)], ignore_index=True),
        about=f"What may come, how likely that was said to be, and what the plan brings then ({unit}).",
        totals=frozenset((len(table), len(table) + 1)),
    )


def _by_year(found: AdaptivePlan, name: str) -> dict[int, float]:
    """Add up a scenario's money that goes by year."""
    total: dict[int, float] = {}
    for money in found.funding.money(name):
        for one in [money] if isinstance(money, Budget) else money.grants:
            for year, usd in one.amount.items() if isinstance(one.amount, dict) else ():
                total[year] = total.get(year, 0.0) + usd
    return total


def _by_scenario(found: AdaptivePlan, facts: pd.DataFrame) -> Sheet:
    """Show the hazards on which the plans differ, the one with most at stake first."""
    plans = {name: _worded(plan.table) for name, plan in found.plans.items()}
    rows = pd.concat(list(plans.values()))
    shared = rows.groupby("option_id")["option_id"].transform("size") == len(plans)
    changing = (
        rows.loc[~shared].groupby("hazard_id")["benefit"].max().sort_values(ascending=False, kind="stable")
    )
    ids = pd.Series(changing.index, dtype=object)
    table = pd.concat([ids.rename("hazard_id"), of_hazards(facts, ids, _NEAR)], axis=1)
    for name, own in plans.items():
        words = own.groupby("hazard_id")["words"].agg(", ".join).reindex(ids)
        heading = f"{name} ({found.funding.probabilities[name]:.0%})"
        table[heading] = words.fillna(_NOT_PLANNED).to_numpy()
    same = rows["hazard_id"].nunique() - len(ids)
    about = f"The {len(ids):,} hazards whose work depends on what comes; {same:,} more have the same in all."
    if not len(ids):
        table = pd.DataFrame({"note": ["The plan does the same whatever comes."]})
    return Sheet(name="By scenario", table=table, about=about)


def _worded(table: pd.DataFrame) -> pd.DataFrame:
    """Give hazard, option, benefit and the words for each row of a plan."""
    ids, what = (table[a if a in table else "option_id"].astype(str) for a in ("hazard_id", "activity"))
    own = {"hazard_id": ids, "option_id": table["option_id"], "benefit": table["benefit"]}
    return pd.DataFrame({**own, "words": what + " " + table["year"].astype(str)})


def halt_sheets(stop: Halt, facts: pd.DataFrame) -> list[Sheet]:
    """Tell what to do when the money stops, what that costs, and who stays exposed."""
    return [_actions(stop, facts), _stopping(stop), _exposed(stop, facts)]


def halt_told(stop: Halt, found: Any) -> str:
    """Tell a halt as a story; it says which scenario's plan is stopped, where there are several by then."""
    if not isinstance(found, AdaptivePlan) or stop.on.year < found.funding.known_from:
        return str(stop)
    return f"If '{found.funding.names[0]}' comes, and the money then stops:\n{stop}"


def _actions(stop: Halt, facts: pd.DataFrame) -> Sheet:
    about = (
        f"What to do when the money stops on {stop.on}, with {stop.notice_weeks:g} weeks' notice and "
        f"{stop.money:,.0f} USD; what is closed or marked is as hazardous as before."
    )
    table = _named(stop.actions, facts, "action")
    blocks = [
        (
            rows,
            {
                "action": f"Total {action}: {len(rows):,}",
                "cost_usd": rows["cost_usd"].sum(),
                "averted": rows["averted"].sum(),
            },
        )
        for action, rows in table.groupby("action", sort=False)
    ]
    return with_totals("If the money stops", about, blocks, empty="No work is under way on that day.")


def _stopping(stop: Halt) -> Sheet:
    blocks = [
        (rows, {"item": f"Total {when}", "usd": rows["usd"].sum()})
        for when, rows in stop.costs.groupby("when", sort=False)
    ]
    about = "What stopping costs now, and what starting again would cost."
    return with_totals("Cost of stopping", about, blocks)


def _exposed(stop: Halt, facts: pd.DataFrame) -> Sheet:
    table = _named(stop.exposed, facts, "adm1")
    order = {region: place for place, region in enumerate(stop.by_region["adm1"])}
    blocks = []
    for region, rows in sorted(
        table.groupby("adm1", dropna=False, sort=False), key=lambda one: order.get(one[0], len(order))
    ):
        name = "no region" if pd.isna(region) else region
        words = f"Total {name}: {len(rows):,} {'area' if len(rows) == 1 else 'areas'}"
        sums = {c: rows[c].sum(min_count=1) for c in ("people", "harm_left")}
        blocks.append((rows, {"adm1": words, **sums}))
    about = (
        f"Who is left exposed after these actions, with the {stop.unit} a year that are left; people near "
        "two hazards count at both."
    )
    return with_totals("Left exposed", about, blocks, empty="No harm is left that is known.")


def _named(rows: pd.DataFrame, facts: pd.DataFrame, first: str) -> pd.DataFrame:
    """Put one column first, and behind the id the hazard's name."""
    named = of_hazards(facts, rows["hazard_id"], ["name"])
    front: list[Any] = [rows[[first, "hazard_id"]], named, rows.drop(columns=[first, "hazard_id"])]
    return pd.concat(front, axis=1)
