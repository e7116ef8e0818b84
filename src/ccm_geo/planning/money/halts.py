"""When the money stops: what to finish, what to close and mark, whom to warn, and who stays exposed.

A halt is planned for a day. Work of that year is taken as spread evenly over it, the steps of a hazard one
after the other; so on that day each hazard has at most one step under way. With the money left, each of those
is finished, closed and marked, or stays open, and people near any hazard can get risk education at once. The
choice that leaves the fewest accidents a year is a small plan of its own, with its proof.
"""

import datetime as dt
import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from ccm_geo.errors import DataError
from ccm_geo.planning.choose import prioritize
from ccm_geo.planning.rules.limits import Budget
from ccm_geo.schemas import Note

from ._standing import standing_of
from .halt_costs import HaltCosts

if TYPE_CHECKING:
    from ccm_geo.planning.plan import Plan

_EXACT_UP_TO = 4_000  # options; beyond, a plan with a proven gap
_GAP = 1e-5
_SAME = 1e-7  # share of the harm left by which the bound of an exact plan may fall short
_SHOWN = 5
_HAZARDOUS = "Only the national authority releases land; what is closed or marked is as hazardous as before."
_ACTIONS = ["finish", "close and mark", "stays open", "risk education"]


@dataclass(frozen=True, kw_only=True, repr=False)
class Halt:
    """What to do when the money stops; ``print(halt)`` tells it as a short story.

    Parameters
    ----------
    on, notice_weeks, money
        The day, the notice given, and USD left to stop with.
    actions
        One row per site under way and per hazard with risk education: hazard_id, adm1, action
        (``finish``, ``close and mark``, ``stays open``, ``risk education``), activity, done (share of the
        step worked), cost_usd, people, averted (accidents a year).
    costs
        One row per item: item, usd, when (``now``, or ``at restart``).
    exposed
        One row per hazard that still does harm: hazard_id, adm1, standing, risk_education, people,
        harm_left (accidents a year; missing where it is not known).
    by_region
        exposed added up by adm1: hazards, people, harm_left. People near two hazards count at both.
    harm_left, harm_idle
        Accidents a year near all hazards after these actions, and if nothing were done with the money.
    harm_least
        No other use of the money can leave less (proven).
    unpaid
        USD of staff and handover costs that the money does not cover.
    left_over
        USD that nothing was found for.
    uncounted
        Hazards that are not released and have no harm counted, mostly because nobody is known to live near.
    to_close
        USD that closing and marking the sites that stay open would take.
    notes
        What was assumed.
    placeholder
        Whether numbers without a source stand behind it.
    unit
        ``accidents`` or ``units of relative harm``.
    """

    on: dt.date
    notice_weeks: float
    money: float
    actions: pd.DataFrame = field(repr=False)
    costs: pd.DataFrame = field(repr=False)
    exposed: pd.DataFrame = field(repr=False)
    by_region: pd.DataFrame = field(repr=False)
    harm_left: float
    harm_idle: float
    harm_least: float
    unpaid: float
    left_over: float
    to_close: float
    uncounted: int
    notes: tuple[Note, ...]
    placeholder: bool
    unit: str = "accidents"

    @property
    def gap(self) -> float:
        """How much less harm another use of the money could leave at most, as a share of what is left."""
        return max(0.0, self.harm_left - self.harm_least) / self.harm_left if self.harm_left > 0 else 0.0

    def __str__(self) -> str:
        return "\n".join([*_opening(self), *_staff(self), *_left(self), *_closing(self)])

    def __repr__(self) -> str:
        left = f"{self.harm_left:.3g} {self.unit} a year left"
        return f"<Halt on {self.on}: {len(self.actions):,} actions, {left}>"


def halt(
    plan: "Plan",
    *,
    on: dt.date,
    notice_weeks: float,
    money: float,
    costs: HaltCosts,
    harm: pd.DataFrame | None = None,
) -> Halt:
    """Stop a plan responsibly: what to finish, close, and warn of, with the money left.

    Parameters
    ----------
    plan
        A plan by year, from options with hazard_id, year, cost_usd and states.
    on
        First day without money, in a year of the plan. Everything planned before it is taken as done.
    notice_weeks
        Weeks between the notice and that day.
    money
        USD left to stop with: staff and handover come off first, the rest goes where it averts most.
    costs
        Unit costs and effects: your own, or `HALT` with its placeholders.
    harm
        The table of `expected_harm`, for accidents a year and people. Without it, accidents a year are
        what the plan's options could avert, and people those of the options.

    Returns
    -------
    Halt

    Raises
    ------
    DataError
        If the day lies outside the plan's years, a number cannot be, or the plan lacks a column.

    Notes
    -----
    With f the share of the year gone, the steps planned for a hazard in that year have used f of their cost,
    in their order. A step not ended counts as nothing removed: its land is not released. With m the
    accidents a year in that year and r the share removed by ended steps, m (1 - r) is left; finishing the
    step under way takes m times its share off, closing and marking leaves 1 - mark_risk_removed, risk
    education 1 - eore_risk_removed of what is left. `prioritize` minimizes the sum left under the money.

    Staff = team-months planned in that year / 12 * staff_per_team; each is paid max(0, notice_due_weeks -
    notice_weeks) + severance_weeks. Restart costs are told, not paid.

    Examples
    --------
    >>> from ccm_geo.planning import HALT
    >>> options = pd.DataFrame({"option_id": ["a"], "hazard_id": ["A"], "activity": ["clearance"],
    ...     "year": [2027], "state_from": ["confirmed"], "state_to": ["released"], "cost_usd": [1e3],
    ...     "benefit": [0.5], "people": [80.0], "area_m2": [500.0]})
    >>> stop = halt(prioritize(options, [Budget(2e3)]), on=dt.date(2027, 7, 2), notice_weeks=8,
    ...             money=1_100.0, costs=HALT)
    >>> stop.actions[["action", "cost_usd"]].values.tolist(), stop.exposed.empty
    ([['finish', 501.37]], True)
    """
    _require(plan, on, notice_weeks, money)
    _require_tables(on.year, costs, harm)
    year, gone = on.year, _share_gone(on)
    today = standing_of(plan, year, gone, harm)
    begun = today[today["under_way"]]
    teams = float(_team_months(plan, year)) / 12
    due = _obligations(costs, teams, len(begun), notice_weeks)
    free = max(0.0, money - sum(due.values()))
    offers = _offers(today, costs)
    chosen, least = _chosen(offers, free, year)
    actions = _actions(today, chosen, costs.value("eore_risk_removed"))
    exposed = _exposed(today, actions)
    unit = "units of relative harm" if plan.benefit_unit == "relative" else "accidents"
    closed = int(actions["action"].isin(["close and mark", "stays open"]).sum())
    spent = actions.groupby("action")["cost_usd"].sum()
    idle = float(today["left"].sum())
    return Halt(
        on=on,
        notice_weeks=notice_weeks,
        money=float(money),
        actions=actions,
        costs=_cost_table(due, spent, costs, teams, closed),
        exposed=exposed,
        by_region=_by_region(exposed),
        harm_left=float(exposed["harm_left"].sum()),
        harm_idle=idle,
        harm_least=_least(idle - least, float(exposed["harm_left"].sum())),
        unpaid=max(0.0, round(sum(due.values()) - money, 2)),
        left_over=max(0.0, round(free - float(spent.sum()), 2)),
        to_close=_to_close(actions, offers),
        uncounted=int(((today["harm"] == 0) & (today["standing"] != "planned work done")).sum()),
        notes=_notes(plan, costs, today, harm),
        placeholder=bool(costs.placeholders) or plan.placeholder,
        unit=unit,
    )


def _least(bound: float, left: float) -> float:
    """Return the bound, or what is left where both are the same number, rounded differently."""
    return left if left - bound <= _SAME * max(left, 1e-300) else bound


def _require(plan: "Plan", on: dt.date, notice_weeks: float, money: float) -> None:
    if not hasattr(plan, "options"):
        raise DataError(
            f"halt: plan must be a plan from prioritize, not a {type(plan).__name__}; of a plan under "
            "several scenarios give the one that has come: plan.plans['as promised']"
        )
    absent = [c for c in ("hazard_id", "year", "cost_usd", "state_from", "state_to") if c not in plan.options]
    if absent:
        raise DataError(f"halt: the plan's options have no column {absent[0]!r}; plan from list_options")
    if not isinstance(on, dt.date):
        raise DataError(f"halt: on must be a date, for example datetime.date(2028, 7, 1), not {on!r}")
    years = plan.options["year"]
    if not years.min() <= on.year <= years.max():
        raise DataError(f"halt: {on} lies outside the plan's years, {years.min()} to {years.max()}")
    for name, value in (("notice_weeks", notice_weeks), ("money", money)):
        if not (isinstance(value, (int, float, np.number)) and value >= 0 and math.isfinite(value)):
            raise DataError(f"halt: {name} must be a number of 0 or more, not {value!r}")


def _require_tables(year: int, costs: HaltCosts, harm: pd.DataFrame | None) -> None:
    if not isinstance(costs, HaltCosts):
        raise DataError(
            "halt: costs must be HaltCosts, for example dataclasses.replace(HALT, weekly_pay_usd=180.0), "
            f"not {type(costs).__name__}"
        )
    if harm is None:
        return
    absent = [c for c in ("hazard_id", "year", "harm") if c not in getattr(harm, "columns", ())]
    if absent:
        raise DataError(f"halt: harm has no column {absent[0]!r}; give the table of expected_harm")
    if year not in set(harm["year"]):
        raise DataError(f"halt: harm has no rows for {year}, the year of the halt; add them to expected_harm")


def _share_gone(on: dt.date) -> float:
    first = dt.date(on.year, 1, 1)
    return (dt.date(on.year, on.month, on.day) - first).days / (dt.date(on.year + 1, 1, 1) - first).days


def _team_months(plan: "Plan", year: int) -> float:
    if "team_months" not in plan.table:
        return 0.0
    return float(plan.table.loc[plan.table["year"] == year, "team_months"].sum())


def _obligations(costs: HaltCosts, teams: float, sites: int, notice_weeks: float) -> dict[str, float]:
    staff = teams * costs.value("staff_per_team")
    pay = staff * costs.value("weekly_pay_usd")
    return {
        "pay for notice not given": round(pay * max(0.0, costs.value("notice_due_weeks") - notice_weeks), 2),
        "severance": round(pay * costs.value("severance_weeks"), 2),
        "handover": round(costs.value("handover_usd") * sites, 2),
    }


def _offers(today: pd.DataFrame, costs: HaltCosts) -> pd.DataFrame:
    """List what can be done on the day: one row per hazard, action and state it is done in."""
    kept, warned = 1 - costs.value("mark_risk_removed"), costs.value("eore_risk_removed")
    site = today[today["under_way"]]
    finished = (site["harm"] * site["share"]).fillna(0.0).clip(upper=site["left"])
    close = costs.value("close_usd") + costs.value("mark_usd_per_m2") * site["area_m2"].fillna(0.0)
    teach = costs.value("eore_usd") + costs.value("eore_usd_per_person") * today["people"]
    near = today[(today["people"] > 0) & (today["left"] > 0)]
    both = site.index.intersection(near.index)
    parts = [
        _offer(site.index, "finish", ("open", "finished"), site["cost_usd"] * (1 - site["done"]), finished),
        _offer(site.index, "close and mark", ("open", "marked"), close, site["left"] * (1 - kept)),
    ]
    states = [("open", near["left"]), ("marked", kept * near["left"]), ("finished", near["left"] - finished)]
    for state, left in states:
        where = near.index if state == "open" else both
        parts.append(_offer(where, "risk education", (state, state), teach, warned * left))
    table = pd.concat(parts, ignore_index=True)
    table = table[(table["state_from"] != table["state_to"]) | (table["benefit"] > 0)]
    return table.assign(option_id=table["hazard_id"] + ":" + table["action"] + ":" + table["state_from"])


def _offer(
    where: pd.Index, action: str, states: tuple[str, str], cost: pd.Series, averted: pd.Series
) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "hazard_id": where.to_numpy(dtype=object),
            "action": action,
            "state_now": "open",
            "state_from": states[0],
            "state_to": states[1],
            "cost_usd": cost.reindex(where).to_numpy(dtype=float).round(2),
            "benefit": averted.reindex(where).to_numpy(dtype=float),
        }
    )


def _chosen(offers: pd.DataFrame, money: float, year: int) -> tuple[pd.DataFrame, float]:
    """Choose what averts most; return it and a bound on what anything else could avert.

    What is left of the money closes sites that would stay open, the cheapest first: it can only help.
    """
    if offers.empty:
        return offers, 0.0
    small = len(offers) <= _EXACT_UP_TO
    best = prioritize(offers.assign(year=year), [Budget(round(money, 2))], gap=_GAP, exact=small)
    chosen = offers[offers["option_id"].isin(best.table["option_id"])]
    closing = offers[offers["action"] == "close and mark"].sort_values("cost_usd", kind="stable")
    moved = chosen.loc[chosen["state_from"] != chosen["state_to"], "hazard_id"]
    closing = closing[~closing["hazard_id"].isin(moved)]
    room = round(money - float(chosen["cost_usd"].sum()), 2)
    more = closing[closing["cost_usd"].cumsum() <= room + 1e-9]
    return pd.concat([chosen, more]), float(best.bound)


def _actions(today: pd.DataFrame, chosen: pd.DataFrame, warned: float) -> pd.DataFrame:
    """Tell what is done where; sites under way on which nothing is done stay open."""
    moves = chosen[chosen["state_from"] != chosen["state_to"]]
    taught = chosen[chosen["state_from"] == chosen["state_to"]]
    idle = today.index[today["under_way"] & ~today.index.isin(moves["hazard_id"])]
    after = today["left"] - moves.set_index("hazard_id")["benefit"].reindex(today.index).fillna(0.0)
    ids = [*moves["hazard_id"], *idle, *taught["hazard_id"]]
    sizes = (len(moves), len(idle), len(taught))
    own, teaches = today.reindex(ids), np.repeat([False, False, True], sizes)
    table = pd.DataFrame(
        {
            "hazard_id": ids,
            "adm1": own["adm1"].to_numpy(),
            "action": [*moves["action"], *["stays open"] * len(idle), *taught["action"]],
            "activity": own["activity"].astype(object).where(~teaches, "eore").to_numpy(),
            "done": own["done"].astype(float).where(~teaches).to_numpy(),
            "cost_usd": np.concatenate([moves["cost_usd"], np.zeros(len(idle)), taught["cost_usd"]]),
            "people": own["people"].to_numpy(),
            "averted": np.concatenate(
                [moves["benefit"], np.zeros(len(idle)), warned * after.reindex(taught["hazard_id"])]
            ),
        }
    )
    order = pd.Categorical(table["action"], _ACTIONS)
    return table.iloc[np.lexsort((-table["averted"], order.codes))].reset_index(drop=True)


def _to_close(actions: pd.DataFrame, offers: pd.DataFrame) -> float:
    idle = actions.loc[actions["action"] == "stays open", "hazard_id"]
    closing = offers[(offers["action"] == "close and mark") & offers["hazard_id"].isin(idle)]
    return round(float(closing["cost_usd"].sum()), 2)


def _exposed(today: pd.DataFrame, actions: pd.DataFrame) -> pd.DataFrame:
    off = actions.groupby("hazard_id")["averted"].sum().reindex(today.index).fillna(0.0)
    moved = actions[actions["action"] != "risk education"].set_index("hazard_id")["action"]
    words = {"finish": "finished", "close and mark": "closed and marked", "stays open": "stays open"}
    standing = moved.map(words).reindex(today.index)
    taught = today.index.isin(actions.loc[actions["action"] == "risk education", "hazard_id"])
    table = pd.DataFrame(
        {
            "hazard_id": today.index,
            "adm1": today["adm1"].to_numpy(),
            "standing": standing.fillna(today["standing"]).to_numpy(),
            "risk_education": taught,
            "people": today["people"].to_numpy(),
            "harm_left": (today["left"] - off).clip(lower=0.0).to_numpy(),
        }
    )
    unknown = today["harm"].isna().to_numpy()
    table.loc[unknown, "harm_left"] = np.nan
    table = table[(table["harm_left"] > 1e-12) | unknown]
    return table.sort_values("harm_left", ascending=False, kind="stable").reset_index(drop=True)


def _by_region(exposed: pd.DataFrame) -> pd.DataFrame:
    groups = exposed.groupby("adm1", dropna=False)
    table = groups.agg(
        hazards=("hazard_id", "size"), people=("people", "sum"), harm_left=("harm_left", "sum")
    )
    return table.sort_values("harm_left", ascending=False, kind="stable").reset_index()


def _cost_table(
    due: dict[str, float], spent: pd.Series, costs: HaltCosts, teams: float, sites: int
) -> pd.DataFrame:
    later = {
        "hiring and training teams again": round(teams * costs.value("restart_usd_per_team"), 2),
        "opening sites again": round(sites * costs.value("reopen_usd"), 2),
    }
    rows = [(item, usd, "now") for item, usd in due.items()]
    rows += [(str(a), round(float(u), 2), "now") for a, u in spent.items() if a != "stays open"]
    rows += [(item, usd, "at restart") for item, usd in later.items()]
    return pd.DataFrame(rows, columns=["item", "usd", "when"])


def _notes(
    plan: "Plan", costs: HaltCosts, today: pd.DataFrame, harm: pd.DataFrame | None
) -> tuple[Note, ...]:
    notes = [
        Note(
            "halt",
            "assumed",
            "work of the year is spread evenly over it, each hazard's steps one after the other",
        ),
        Note(
            "halt",
            "assumed",
            "a step that is not finished counts as nothing removed: its land is not released",
        ),
        Note("halt", "assumed", "people near two hazards count at both"),
    ]
    if harm is None:
        notes.append(Note("halt", "assumed", "accidents a year are what the plan's options could avert"))
    unknown, nobody = int(today["harm"].isna().sum()), int(today["people"].isna().sum())
    if unknown:
        notes.append(
            Note("halt", "unknown", f"harm of {unknown:,} hazards is not known; they stay exposed", unknown)
        )
    if nobody:
        text = f"people near {nobody:,} hazards are not known; risk education is not offered there"
        notes.append(Note("halt", "unknown", text, nobody))
    if costs.placeholders:
        notes.append(Note("halt", "assumed", f"placeholders: {', '.join(costs.placeholders)}; replace them"))
    return (*notes, *(n for n in plan.notes if n.kind == "unknown"))


def _opening(stop: Halt) -> list[str]:
    day, counts = f"{stop.on.day} {stop.on:%B %Y}", stop.actions["action"].value_counts()
    sites = int(counts.drop("risk education", errors="ignore").sum())
    spent = stop.actions.groupby("action")["cost_usd"].sum()
    given = f"{stop.notice_weeks:g} weeks' notice and {stop.money:,.0f} USD to stop"
    lines = [f"On {day} the money stops, with {given}.", f"Work is under way on {_areas(sites)}."]
    told = {
        "finish": "Finish {} of them for {} USD{}.",
        "close and mark": "Close and mark {} of them for {} USD{}; the land stays hazardous.",
        "stays open": "{} of them stay as they are; to close and mark them takes {} USD more{}.",
    }
    for action, text in told.items():
        if counts.get(action, 0):
            rows = stop.actions[stop.actions["action"] == action]
            usd = f"{stop.to_close if action == 'stays open' else spent[action]:,.0f}"
            lines.append("  " + text.format(f"{counts[action]:,}", usd, f" ({_first(rows)})"))
    taught = stop.actions[stop.actions["action"] == "risk education"]
    if len(taught):
        lines.append(
            f"Start risk education at once near {_areas(len(taught))}, where {taught['people'].sum():,.0f} "
            f"people live, for {spent['risk education']:,.0f} USD: {_first(taught)}."
        )
    return lines


def _areas(count: int) -> str:
    return f"{count:,} area{'' if count == 1 else 's'}"


def _first(rows: pd.DataFrame) -> str:
    shown = ", ".join(rows["hazard_id"].astype(str)[:_SHOWN])
    return shown if len(rows) <= _SHOWN else f"first {shown}"


def _staff(stop: Halt) -> list[str]:
    now = stop.costs[(stop.costs["when"] == "now") & ~stop.costs["item"].isin(_ACTIONS)]
    later = stop.costs[stop.costs["when"] == "at restart"]
    parts = [f"{item} {usd:,.0f}" for item, usd in zip(now["item"], now["usd"], strict=True)]
    lines = [f"Stopping itself costs {now['usd'].sum():,.0f} USD: {', '.join(parts)}."]
    if stop.unpaid > 0:
        lines.append(f"  {stop.unpaid:,.0f} USD of that are not covered; nothing is left for the field.")
    parts = [f"{item} {usd:,.0f}" for item, usd in zip(later["item"], later["usd"], strict=True)]
    return [*lines, f"Starting again would cost {later['usd'].sum():,.0f} USD more: {', '.join(parts)}."]


def _left(stop: Halt) -> list[str]:
    exposed = stop.exposed
    more = f"{stop.uncounted:,} more {'area is' if stop.uncounted == 1 else 'areas are'}"
    hidden = f"{more} hazardous though nobody is counted near them."
    if exposed.empty:
        known = f"No area in the plan's options has {stop.unit} left that are known."
        return [known, hidden] if stop.uncounted else [known]
    who = f"{exposed['people'].sum():,.0f} people near {_areas(len(exposed))}"
    idle = f"{stop.harm_idle:.3g} if nothing were done with the money"
    lines = [f"Left exposed: {who}, with about {stop.harm_left:.3g} {stop.unit} a year ({idle})."]
    named = stop.by_region.dropna(subset=["adm1"]).head(_SHOWN)
    lines += [
        f"  {r['adm1']}: {r['people']:,.0f} people, {_areas(r['hazards'])}, {r['harm_left']:.2g} a year"
        for r in named.to_dict("records")
    ]
    begun = exposed[exposed["standing"].isin(["closed and marked", "stays open", "planned, not begun"])]
    if len(begun):
        where = f"{_areas(len(begun))} where the plan promised work that does not come"
        lines.append(f"  {begun['harm_left'].sum():.2g} a year of it near {where}: {_first(begun)}.")
    return [*lines, hidden] if stop.uncounted else lines


def _closing(stop: Halt) -> list[str]:
    if stop.gap <= 0:
        lines = ["No other use of the money would leave less (proven)."]
    else:
        far = f"{stop.gap:.2%}" if stop.gap >= 1e-4 else "0.01%"
        lines = [f"No other use of the money could leave less by more than {far} (proven)."]
    if stop.left_over >= 1:
        lines.append(f"{stop.left_over:,.0f} USD are left over: nothing on the list fits them.")
    if stop.placeholder:
        lines.append(
            "PLACEHOLDER NUMBERS: costs or effects without a source stand behind it; not for decisions yet."
        )
    lines += [f"Note: {n.text}." for n in stop.notes if n.table == "halt" and "placeholder" not in n.text]
    return [*lines, _HAZARDOUS]
