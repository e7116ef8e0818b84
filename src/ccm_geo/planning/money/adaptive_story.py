"""An adaptive plan in words that a minister understands."""

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from ccm_geo.planning.bonuses import bonus_of, counted_in, has_bonuses, told_apart

if TYPE_CHECKING:
    from .adaptive import AdaptivePlan

_NOT_SAFE = "Only the national authority releases land; what is not in the plan is not known to be safe."
_TOLD = {("plan", "advice"), ("plan", "assumed"), ("plan", "unknown"), ("options", "unknown")}
_MOST_NOTES = 8


def told(plan: "AdaptivePlan") -> str:
    """Tell what to do first, what comes of it, how good that is, and what naive planning loses."""
    return "\n".join([*_first(plan), *_scenarios(plan), *_proof(plan), *_naive(plan), *_beware(plan)])


def _first(plan: "AdaptivePlan") -> list[str]:
    count, first = len(plan.plans), plan.first
    shared = f"before {plan.funding.known_from}"
    head = f"Plan under {count} scenario{'s' if count > 1 else ''} of money ({plan.run_id})."
    if first.empty:
        return [head, f"Nothing is decided {shared}; everything waits until the money is known."]
    whose = "hazard_id" if "hazard_id" in first else "option_id"
    money = f" for {first['cost_usd'].sum():,.0f} USD" if "cost_usd" in first else ""
    lines = [f"{head} Whatever comes, {shared}: work on {first[whose].nunique():,} hazards{money}."]
    if "activity" in first:
        for year, rows in first.groupby("year", observed=True):
            lines.append(f"  {year}: {_counted(rows['activity'])}")
    return lines


def _counted(activities: pd.Series) -> str:
    return ", ".join(f"{n:,} {a}" for a, n in activities.value_counts().items() if n)


def _few(value: float) -> str:
    return f"{value:,.4g}"


def _unit(plan: "AdaptivePlan") -> str:
    return "units of relative harm averted" if plan.benefit_unit == "relative" else plan.benefit_unit


def _whole(plan: "AdaptivePlan") -> str:
    """Name the unit of what counts bonuses in."""
    return counted_in(_unit(plan), bonuses=has_bonuses(plan.plan.rules))


def _scenarios(plan: "AdaptivePlan") -> list[str]:
    lines = [f"From {plan.funding.known_from} on, by what comes:"]
    for name, row in plan.scenarios.iterrows():
        spent = f" for {row['cost_usd']:,.0f} USD" if np.isfinite(row["cost_usd"]) else ""
        bonus = bonus_of(plan.plans[str(name)])
        brings = told_apart(row["benefit"] - bonus, bonus, _unit(plan), digits=4)
        lines.append(f"  {name} ({row['probability']:.0%}): {brings}{spent}")
    return lines


def _proof(plan: "AdaptivePlan") -> list[str]:
    worst = plan.scenarios["benefit"].idxmin()
    tail = f"Mean of the worst {plan.alpha:.0%}: {_few(plan.tail)}."
    reached = (
        f"Expected: {_few(plan.expected)} {_whole(plan)}. At worst: {_few(plan.worst)} ({worst}). {tail}"
    )
    aim = "expect more" if plan.worst_weight == 0 else "do better by the weight given to the worst cases"
    far = "" if plan.gap <= 0 else f" by more than {plan.gap:.2%}"
    return [reached, f"No plan with the same first decisions for all scenarios can {aim}{far} (proven)."]


def _naive(plan: "AdaptivePlan") -> list[str]:
    if len(plan.plans) == 1:
        return []
    table, promised = plan.scenarios, plan.funding.names[0]
    head = f"Planning as if '{promised}' were certain hopes for {_few(plan.naive_benefit)} {_whole(plan)}."
    broken = table["naive_benefit"].isna()
    if broken.all():
        return [f"{head} Its first decisions cannot keep the rules in every scenario."]
    lines = [f"{head} If its first decisions are taken and only later years adapt:"]
    for name, row in table.iterrows():
        less = float(row["naive_loss"])
        word = f"{_few(less)} less than here" if less >= 0 else f"{_few(-less)} more than here"
        same = abs(less) <= 1e-9 * max(abs(float(row["benefit"])), 1e-12)
        lines.append(f"  {name}: {_few(row['naive_benefit'])}, {'the same as here' if same else word}")
    lines.append(_cost_of_caution(plan, promised))
    low, mid, high = plan.planning_worth
    kind = f"expected {_whole(plan)}" if plan.worst_weight == 0 else "of what is aimed at"
    lines.append(
        f"Planning for the cuts is worth {_few(mid)} {kind} (proven: from {_few(low)} to {_few(high)}); "
        f"knowing now what comes would be worth at most {_few(plan.foresight_worth)}."
    )
    return lines


def _cost_of_caution(plan: "AdaptivePlan", promised: str) -> str:
    cost = -float(plan.scenarios.loc[promised, "naive_loss"])
    if cost <= 1e-9 * abs(plan.expected):
        return f"Being prepared costs nothing if '{promised}' comes."
    return f"Being prepared costs {_few(cost)} {_whole(plan)} if '{promised}' comes."


def _beware(plan: "AdaptivePlan") -> list[str]:
    lines = []
    if any(p.placeholder for p in plan.plans.values()):
        lines.append(
            "PLACEHOLDER NUMBERS: costs or effects without a source stand behind it; not for decisions yet."
        )
    said = [n.text.rstrip(".") for n in plan.notes if (n.table, n.kind) in _TOLD]
    said = [text for text in dict.fromkeys(said) if "placeholder" not in text]
    lines += [f"Note: {text}." for text in said[:_MOST_NOTES]]
    if len(said) > _MOST_NOTES:
        lines.append(f"{len(said) - _MOST_NOTES} more notes stand in plan.notes.")
    return [*lines, _NOT_SAFE] if "activity" in plan.first else lines
