"""The sheets about rules: what each allowed and cost, who pays, and what hazards bring together."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from ccm_geo.planning import Compact, Complete, Deadline, Donors, GoalPlan, Plan, paid_by
from ccm_geo.planning.bonuses import counted_in, has_bonuses, told_apart
from ccm_geo.planning.listing import measured_in, of_one

from .sheets import Sheet, with_totals

_NO_SOURCE = "chosen for this plan; no source puts a number to it"


def rules_sheet(plan: Plan) -> Sheet:
    """Say of every rule what it allowed, what the plan used, and what one more unit would be worth."""
    use = pd.DataFrame(plan.use).reset_index(drop=True)
    by_title = {rule.title: rule for rule in plan.rules}
    counted = counted_in(plan.benefit_unit, bonuses=has_bonuses(plan.rules))
    if len(use):
        own = [by_title.get(title) for title in use["rule"]]
        use.insert(use.columns.get_loc("limit"), "unit", [_unit(rule) for rule in own])
        use["in_words"] = [
            _spoken_limit(row, rule, counted) for row, rule in zip(use.to_dict("records"), own, strict=True)
        ]
        use = use.rename(columns={"price": f"price ({counted} per unit)"})
    told = set(use["rule"]) if len(use) else set()
    others = pd.DataFrame(
        [
            {"rule": title, "row": title, "in_words": _spoken_rule(rule, plan)}
            for title, rule in by_title.items()
            if title not in told
        ]
    )
    use = pd.concat([block for block in (use, others) if len(block)]) if len(use) + len(others) else use
    if not len(use):
        use = pd.DataFrame({"note": ["The plan keeps no rules."]})
    about = "What each rule allowed, what the plan used of it, and what one more unit would be worth."
    return Sheet(name="What each rule costs", table=use, about=about)


def _unit(rule: Any) -> str:
    """Name the unit of a rule's limits; nothing where they count what is done first, or not at all."""
    if isinstance(rule, Donors):
        return "USD"
    if isinstance(rule, Deadline):
        return "m2" if rule.of == "area" else "hazards"
    of = getattr(rule, "of", "") or getattr(rule, "column", "")
    return measured_in("area_m2" if of == "area" else of) if of else ""


def _spoken_limit(row: dict[Any, Any], rule: Any, unit: str) -> str:
    price = float(row["price"])
    if isinstance(rule, Deadline):
        return _spoken_deadline(rule, float(row["limit"]), float(row["used"]), price, unit)
    measured = _unit(rule)
    return _spoken_price(price, unit, "100,000 USD" if measured == "USD" else f"1 {of_one(measured)}".strip())


def _spoken_price(price: float, unit: str, step: str) -> str:
    if not np.isfinite(price):
        return "no price is known"
    if price == 0:
        return "costs nothing: a little more or less of it changes nothing"
    size = 100_000 if step.endswith("USD") else 1
    worth = "bring about" if price > 0 else "cost about"
    return f"{step} more here would {worth} {abs(price) * size:.3g} {unit}"


def _spoken_deadline(rule: Deadline, goal: float, done: float, price: float, unit: str) -> str:
    """Say how a deadline stands: land in hectares, hazards by number."""
    size, what = (1e4, "ha") if rule.of == "area" else (1.0, "hazards")
    shown = ",.1f" if rule.of == "area" else ",.0f"
    state = (
        f"{done / size:{shown}} {what} released by the end of {rule.year}, {goal / size:{shown}} asked for"
    )
    if not np.isfinite(price):
        return state
    if price == 0:
        return f"{state}: costs nothing"
    return f"{state}: it binds; 1 % more would cost about {abs(price) * goal / 100:.3g} {unit}"


def _spoken_rule(rule: Any, plan: Plan) -> str:
    """Say how a rule stands that has no limit: promises and bonuses."""
    if isinstance(rule, (Complete, Compact)):
        own = plan.bonuses[plan.bonuses["rule"] == rule.title]
        offered = _offered(rule)
        count = f"{len(own):,} of {offered:,}" if offered is not None else f"{len(own):,}"
        return f"{count} earned: {own['bonus'].sum():,.4g} of bonuses in all, as the rule puts it"
    return rule.kept(plan.table, plan.options) or "kept; it has no limit that could have a price"


def _offered(rule: Complete | Compact) -> int | None:
    """Count the bonuses that could be earned, where each can be earned once."""
    if isinstance(rule, Complete) and isinstance(rule.bonus, Mapping):
        return sum(bonus > 0 for bonus in rule.bonus.values())
    return None


def together_sheets(plan: Plan) -> list[Sheet]:
    """Give the sheets that only some plans have: who pays, and bonuses."""
    donors = [rule for rule in plan.rules if isinstance(rule, Donors)]
    sheets = [_who_pays(plan, donors)] if donors else []
    return [*sheets, _bonuses(plan)] if len(plan.bonuses) else sheets


def _who_pays(plan: Plan, donors: Sequence[Donors]) -> Sheet:
    about = (
        "What each grant pays: one of many splits that keep every grant to its purpose; narrow grants, and "
        "money about to lapse, are spent first."
    )
    if len(donors) > 1:
        words = f"The plan keeps {len(donors)} sets of grants; each pays all of it, so no split is shown."
        return Sheet(name="Who pays", table=pd.DataFrame({"note": [words]}), about=about)
    split = paid_by(plan, by=[c for c in ("year", "activity") if c in plan.table])
    left = split.attrs["left_usd"]
    blocks = []
    for grant in donors[0].grants:
        rows = split[split["grant"] == grant.name]
        paid = rows["paid_usd"].sum()
        words = (
            f"Total {grant.name}: {paid:,.2f} of {grant.total:,.2f} USD, {left[grant.name]:,.2f} not needed"
        )
        blocks.append((rows, {"grant": words, "paid_usd": paid}))
    whole = {"grant": "Total of all grants", "paid_usd": split["paid_usd"].sum()}
    return with_totals("Who pays", about, [*blocks, (split.iloc[:0], whole)])


def _bonuses(plan: Plan) -> Sheet:
    about = (
        f"What hazards bring together, beyond the benefit of each, in {plan.benefit_unit}: communities "
        "completed, neighbors worked on in one year."
    )
    blocks = [
        (rows, {"rule": f"Total {title}: {len(rows):,}", "bonus": rows["bonus"].sum()})
        for title, rows in plan.bonuses.groupby("rule", sort=False)
    ]
    return with_totals("Bonuses", about, blocks)


def goals_sheet(found: GoalPlan) -> Sheet:
    """Tell what each goal got, and what later goals took from it."""
    table = found.table.copy()
    table.insert(0, "rank", range(1, len(table) + 1))
    table["in_words"] = [
        f"when it was its turn within {row['gap']:.2%} of the best (proven); later goals took "
        f"{row['given_up']:.2%} of it and may take {row['tolerance']:.2%}{_apart(row, found.plan)}"
        for row in table.to_dict("records")
    ]
    about = "The goals, one after the other: what each reached when it was its turn, and what the plan has."
    return Sheet(name="Goals", table=table, about=about)


def _apart(row: dict[Any, Any], plan: Plan) -> str:
    """Say what of a goal is bonuses."""
    if not row["bonus"]:
        return ""
    return f"; the plan has {told_apart(row['final'] - row['bonus'], row['bonus'], plan.benefit_unit)}"


def rule_numbers(plan: Plan) -> pd.DataFrame:
    """List the numbers in rules that stand beside accidents averted: bonuses, and the worth of neighbors."""
    rows = []
    for rule in plan.rules:
        if isinstance(rule, Complete):
            given = rule.bonus.values() if isinstance(rule.bonus, Mapping) else [rule.bonus]
            rows.append(_number(rule.title, "bonus", [float(b) for b in given], plan.benefit_unit))
        elif isinstance(rule, Compact):
            rows.append(_number(rule.title, "worth", [float(rule.worth)], plan.benefit_unit))
    return pd.DataFrame(rows)


def _number(title: str, name: str, given: Sequence[float], unit: str) -> dict[str, Any]:
    low, high = min(given, default=0.0), max(given, default=0.0)
    row: dict[str, Any] = {"about": "rule", "of": title, "number": name, "unit": unit, "source": _NO_SOURCE}
    if low == high:
        return row | {"value": low}
    return row | {"reason": f"differs by name, from {low:g} to {high:g}"}
