"""Chooses the best plan, has it checked, and says how good it is and why."""

import hashlib
from collections.abc import Sequence
from functools import cache, partial
from typing import Any

import numpy as np
import pandas as pd

from ccm_geo.errors import CcmGeoError
from ccm_geo.schemas import Note, notes_of

from . import check
from ._given import require_search
from .conflicts import explain
from .engine.solve import SMALL, Solution, load, solve
from .findings import looked_over, read_rules
from .floors import held_back, stopped
from .listing import Floats, Ints, Listing, Mask, leads_on
from .model import Family, Model, build
from .needed import beyond_amounts
from .plan import Plan
from .reasons import reasons_of
from .rules.complete import Complete
from .rules.limits import Budget, Rule, listed

_SAME = 2e-9  # bound and benefit nearer than this share are the same number, rounded differently


def prioritize(
    options: pd.DataFrame,
    rules: Sequence[Rule] = (),
    *,
    gap: float = 1e-3,
    seconds: float = 20.0,
    exact: bool = False,
) -> Plan:
    """Choose the options that avert most under the rules, and prove how good the choice is.

    Parameters
    ----------
    options
        What could be done, from `list_options` or a table of your own with option_id, benefit and
        whatever columns the rules name. With state_from and state_to a hazard follows a path through states;
        without them it takes one option at most; without hazard_id every option stands alone.
    rules
        What the plan must keep to, such as `Budget`, `Capacity`, `Share`, `LockIn`, `After`, and what
        hazards bring together, such as `Complete`.
    gap
        How far from the best is good enough, as a share: 0.001 means that no plan can be better by more
        than 0.1 %. What was reached stands in ``plan.gap``.
    seconds
        When to stop looking.
    exact
        Look for a proven best plan (``gap=0``); large cases may run out of time.

    Returns
    -------
    Plan

    Raises
    ------
    DataError
        If options or rules cannot be read.
    PlanError
        If no plan keeps all rules: names the rules in conflict and the smallest change that helps.

    Notes
    -----
    The model and both engines are described in ``docs/model.md``.

    Examples
    --------
    >>> from ccm_geo.planning import Budget, LockOut
    >>> options = pd.DataFrame({"option_id": list("abc"), "cost_usd": [1, 2, 2], "benefit": [3.0, 4.0, 3.0]})
    >>> plan = prioritize(options, [Budget(4), LockOut("a")])
    >>> list(plan.table["option_id"]), plan.benefit, plan.gap
    (['b', 'c'], 7.0, 0.0)
    """
    given = read_rules(rules)
    require_search("prioritize", gap=gap, seconds=seconds)
    listing = Listing.of(options)
    advice = looked_over(listing, given)
    model = build(listing, given)
    if len(options) > SMALL:
        _load()
    found = solve(model, gap=0.0 if exact else gap, seconds=seconds)
    if found is None:
        raise explain(listing, given, seconds=seconds)
    if not found.taken.any():
        advice = [*advice, *stopped(listing, given, found, seconds)]
    return checked_plan(options, model, found, advice)


@cache
def _load() -> None:
    """Have the search compiled, or read from where the compiler left it, before the clock of a plan runs."""
    table = pd.DataFrame({"option_id": ["a", "b"], "place": "here", "cost_usd": 2.0, "benefit": [1.0, 2.0]})
    load(build(Listing.of(table), (Budget(3), Complete("place", bonus=1.0))))


def checked_plan(
    options: pd.DataFrame, model: Model, found: Solution, advice: list[Note], *, later: str = ""
) -> Plan:
    """Make a plan of a solution, after it has passed the independent check; `later` as for `reasons_of`."""
    model = found.laid or model
    listing = model.listing
    table = listing.frame[found.taken]
    place = np.arange(len(table))
    if "year" in table:
        place = np.lexsort((place, listing.year[found.taken]))
    table, rows = table.iloc[place].reset_index(drop=True), listing.row[found.taken][place]
    if "hazard_id" not in options:
        table = table.drop(columns="hazard_id")
    bonuses = _bonuses(table, options, model.rules)
    benefit = float(np.sum(table["benefit"].to_numpy())) + float(bonuses["bonus"].sum())
    wrong = check.faults_of(table, options, model.rules, benefit=benefit, rows=rows)
    if wrong:
        raise CcmGeoError(
            "prioritize: the plan found fails its own check, so it is not returned; please report this: "
            + "; ".join(wrong[:5])
        )
    unit = str(options.attrs.get("benefit_unit", "accidents averted" if "activity" in options else "benefit"))
    carried = {k: v for k, v in options.attrs.items() if k in ("benefit_unit", "horizon", "source")}
    table.attrs = dict(carried)
    return Plan(
        table=table,
        options=options,
        rules=model.rules,
        benefit=benefit,
        bound=found.bound if found.bound - benefit > _SAME * abs(benefit) else benefit,
        cost_usd=float(table["cost_usd"].sum()) if "cost_usd" in table else float("nan"),
        use=use_of(model, found),
        bonuses=bonuses,
        tell=partial(reasons_of, model, found, counted=unit, later=later),
        notes=tuple(
            dict.fromkeys(
                (
                    *notes_of(options),
                    *model.notes,
                    *advice,
                    *held_back(model, found),
                    *_never(model, found),
                    *_afterthoughts(table),
                )
            )
        ),
        checked=check.passed(table, model.rules),
        run_id=_run_id(options, model.rules, rows),
        benefit_unit=unit,
        horizon=carried.get("horizon"),
    )


def _bonuses(table: pd.DataFrame, options: pd.DataFrame, rules: Sequence[Any]) -> pd.DataFrame:
    """One row per bonus that the plan brings: rule, what, bonus."""
    rows = [(r.title, what, b) for r in rules for what, b in r.bonuses(table, options).items()]
    return pd.DataFrame(rows, columns=["rule", "what", "bonus"]).astype({"bonus": float})


def _never(model: Model, found: Solution) -> list[Note]:
    """Count the hazards whose last step is in every year more than money or teams allow."""
    if found.too_large is None or not found.too_large.any():
        return []
    listing = model.listing
    closing = (listing.src != listing.dst) & ~leads_on(listing)
    large = np.flatnonzero(closing & found.too_large)
    last, fits = (np.zeros(len(listing.hazard_ids), bool) for _ in range(2))
    last[listing.hazard[large[beyond_amounts(model, large)]]] = True
    fits[listing.hazard[closing & ~found.too_large]] = True
    never = np.flatnonzero(last & ~fits)
    if not len(never):
        return []
    one = len(never) == 1
    many, it, its = (
        ("1 hazard takes", "it", "its") if one else (f"{len(never):,} hazards take", "them", "each")
    )
    step, does = (" for the last step alone", "releases") if "state_to" in listing.frame else ("", "has")
    there = "any one year has" if "year" in listing.frame else "there is"
    text = (
        f"{many} more money or teams{step} than {there}, so no plan under these rules {does} {it} ({its} "
        f"reason names the limit): let teams move, or enter {it} as several areas"
    )
    return [Note("plan", "advice", text, len(never), tuple(str(listing.hazard_ids[h]) for h in never[:50]))]


def _afterthoughts(table: pd.DataFrame) -> list[Note]:
    """Say what a practitioner would object to."""
    notes = []
    if {"state_from", "state_to", "hazard_id"} <= set(table.columns):
        bold = table[
            (table["state_from"].astype(str) == "suspected") & (table["state_to"].astype(str) == "released")
        ]
        if len(bold):
            by = f" ({listed(bold['activity'].astype(str).unique())})" if "activity" in bold else ""
            areas = (
                "1 suspected area (SHA) is" if len(bold) == 1 else f"{len(bold):,} suspected areas (SHA) are"
            )
            text = f"{areas} cleared unsurveyed{by}; IMAS asks for survey first"
            notes.append(Note("plan", "advice", text, len(bold), tuple(bold["hazard_id"].astype(str)[:50])))
    if "placeholder" in table and table["placeholder"].any():
        count = int(table["placeholder"].sum())
        text = f"{count:,} of the {len(table):,} planned rows rest on placeholder numbers; replace them"
        notes.append(Note("plan", "assumed", text, count))
    return notes


def use_of(model: Model, found: Solution) -> pd.DataFrame:
    """One row per limit: rule, row, limit, used, price."""
    parts = []
    for family, prices in model.by_family(found.prices):
        rule = model.rules[family.rule]
        later = getattr(rule, "carry_over", False)  # money of a year helps all later years too
        own = np.cumsum(prices[::-1])[::-1] if later else prices
        parts.append(_family_use(family, found.taken, own, rule.title))
    columns = ["rule", "row", "limit", "used", "price"]
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=columns)


def _family_use(family: Family, taken: Mask, prices: Floats, title: str) -> pd.DataFrame:
    used = family.use(taken)
    limit = np.where(np.isfinite(family.upper), family.upper, family.lower)
    if family.shares is not None:
        whole = float(family.coef[taken & (family.key >= 0)].sum())
        used, limit = used + family.shares * whole, family.shares * whole
    columns: dict[str, Any] = {
        "rule": title,
        "row": list(family.labels),
        "limit": limit,
        "used": used,
        "price": prices,
    }
    return pd.DataFrame(columns)


def _run_id(options: pd.DataFrame, rules: Sequence[Rule], chosen: Ints) -> str:
    """Short hash of what went in and what was chosen: two plans that differ never carry the same one."""
    digest = hashlib.sha256(str(len(options)).encode())
    for name in ("cost_usd", "benefit", "year"):
        if name in options:
            digest.update(options[name].to_numpy(dtype=float, na_value=np.nan).tobytes())
    digest.update(repr(tuple(rules)).encode())
    digest.update(np.sort(chosen).astype(np.int64).tobytes())
    return digest.hexdigest()[:10]
