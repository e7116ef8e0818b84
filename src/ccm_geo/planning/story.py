"""A plan in words that a minister understands, and as a table with a small map for a notebook."""

import html
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from ._priced import few
from .bonuses import counted_in, has_bonuses
from .listing import measured_in
from .rules.compact import Compact
from .rules.complete import Complete
from .rules.deadlines import Deadline
from .rules.donors import Donors, paid_by
from .rules.limits import listed, rows_where
from .rules.shares import Share, brought, closes

if TYPE_CHECKING:
    from .plan import Plan

_LAND = {
    "cancelled_m2": "cancelled by survey",
    "reduced_m2": "reduced by technical survey",
    "cleared_m2": "cleared",
}
_SHARED = {"cost_usd": "the money", "area": "the land released", "people": "the people near land released"}
_SHOWN, _ROWS = 6, 10
_TOLD = {("plan", "advice"), ("plan", "assumed"), ("plan", "unknown"), ("options", "unknown")}
_COLORS = ("#1b6ca8", "#d1495b", "#edae49", "#00798c", "#6a4c93", "#3d3d3d")  # differ in grey print as well
_SPELLED = {
    "nts": "non-technical survey",
    "ts": "technical survey",
    "bac": "battle area clearance",
    "eore": "explosive ordnance risk education",
}
_NOT_SAFE = "Only the national authority releases land; what is not in the plan is not known to be safe."


def told(plan: "Plan") -> str:
    """Tell the plan: what it buys, by year, how good it is, what its rules cost, what to beware of."""
    return "\n".join([*_buys(plan), *_by_year(plan), *_proof(plan), *_rules(plan), *_beware(plan)])


def _buys(plan: "Plan") -> list[str]:
    table = plan.table
    if table.empty:
        open_ = "no work is planned; that none can be planned under these rules is not proven"
        return [f"Plan {plan.run_id}: {open_ if plan.gap > 0 else 'nothing can be done under these rules'}."]
    hazards = int(plan.reasons["chosen"].sum())
    when = f"Plan {_span(table['year'])}" if "year" in table else "Plan"
    money = f" for {plan.cost_usd:,.0f} USD" if plan.cost_usd == plan.cost_usd else ""
    lines = [f"{when} ({plan.run_id}): work on {hazards:,} of {len(plan.reasons):,} hazards{money}."]
    over = f" in {plan.horizon[0]} to {plan.horizon[1]}" if plan.horizon else ""
    if plan.benefit_unit == "relative":
        lines.append(
            f"It averts {plan.averted:,.4g} units of relative harm{over}; how many accidents, is not known."
        )
    else:
        lines.append(f"It buys {plan.averted:,.4g} {plan.benefit_unit}{over}.")
    for rule, rows in plan.bonuses.groupby("rule", sort=False):
        worth = f"{rows['bonus'].sum():,.4g} {_units(plan)} more, as the rule puts it"
        lines.append(f"{rule}: {len(rows):,} of them, worth {worth}.")
    earned = set(plan.bonuses["rule"])
    lines += [
        f"{rule.title}: none of them."
        for rule in plan.rules
        if isinstance(rule, (Complete, Compact)) and rule.title not in earned
    ]
    land = [
        f"{table[c].sum() / 1e4:,.0f} ha {w}" for c, w in _LAND.items() if c in table and table[c].sum() > 0
    ]
    if land:
        lines.append(f"Land released: {', '.join(land)}.")
    return [*lines, *_left_at_the_end(plan)]


def _units(plan: "Plan") -> str:
    return "units of relative harm" if plan.benefit_unit == "relative" else plan.benefit_unit


def _whole(plan: "Plan") -> str:
    """Name the unit of prices, which count bonuses in."""
    return counted_in(_units(plan), bonuses=has_bonuses(plan.rules))


def _left_at_the_end(plan: "Plan") -> list[str]:
    """Say how many hazards reach their last state, stay on their way, or see no step of land release."""
    table = plan.table
    if not {"hazard_id", "state_from", "state_to"} <= set(table.columns):
        return []
    begin, end = table["state_from"].astype(str), table["state_to"].astype(str)
    closing, steps = pd.Series(closes(table, plan.options), index=table.index), begin != end
    ended = set(table.loc[closing, "hazard_id"])
    under_way = set(table.loc[steps, "hazard_id"]) - ended
    at = end[steps & table["hazard_id"].isin(list(under_way))]
    other = table[~table["hazard_id"].isin(list(ended | under_way))]
    kinds = other["activity"].astype(str).unique().tolist() if "activity" in table else ["interim work"]
    goal = end[closing].unique().tolist()
    counts = (
        (len(ended), goal[0] if len(goal) == 1 else "in their last state"),
        (len(under_way), f"on the way ({listed(at.unique().tolist())})"),
        (other["hazard_id"].nunique(), f"with {' or '.join(kinds)} only"),
    )
    parts = [f"{n:,} {'hazard' if n == 1 else 'hazards'} {what}" for n, what in counts if n]
    when = f"At the end of {int(table['year'].max())}" if "year" in table else "In the end"
    why = "; plan.why(hazard_id) says why work stops there" if len(parts) > 1 or not ended else ""
    return [f"{when}: {', '.join(parts)}{why}."]


def _span(years: pd.Series) -> str:
    first, last = int(years.min()), int(years.max())
    return str(first) if first == last else f"{first}-{last}"


def _by_year(plan: "Plan") -> list[str]:
    if not {"year", "activity"} <= set(plan.table.columns) or plan.table.empty:
        return []
    lines = []
    for year, rows in plan.table.groupby("year", observed=True):
        counts = rows["activity"].value_counts()
        what = ", ".join(f"{n:,} {a}" for a, n in counts.items() if n)
        money = f" {rows['cost_usd'].sum():,.0f} USD:" if "cost_usd" in rows else ""
        lines.append(f"  {year}:{money} {what}")
    short = [a for a in _SPELLED if (plan.table["activity"].astype(str) == a).any()]
    if short:
        lines.append("  (" + ", ".join(f"{a}: {_SPELLED[a]}" for a in short) + ")")
    return lines


def _proof(plan: "Plan") -> list[str]:
    if plan.benefit >= plan.bound:
        return ["No plan under these rules can be better (proven)."]
    return [f"No plan under these rules can be better by more than {_percent(plan.gap)} (proven)."]


def _percent(share: float) -> str:
    return (
        f"{share:.2%}"
        if share >= 1e-4
        else f"{share:.1g}".replace("e-0", "e-")
        if share < 1e-6
        else f"{share:.4%}"
    )


def _rules(plan: "Plan") -> list[str]:
    lines = []
    budgets = {r.title for r in plan.rules if hasattr(r, "carry_over")}
    teams = {r.title for r in plan.rules if hasattr(r, "amount")} - budgets
    shares = {r.title for r in plan.rules if isinstance(r, Share)}
    for title, rows in plan.use.groupby("rule", sort=False):
        if title in budgets:
            paid = rows[(rows["limit"] > 0) | (rows["used"] > 0)]
            of = measured_in(next(r.of for r in plan.rules if r.title == title and hasattr(r, "carry_over")))
            lines += [_money_line(row, of, _whole(plan)) for row in paid.to_dict("records")]
        elif title in teams:
            lines += _team_lines(str(title), rows, plan)
        elif title in shares:
            lines += _share_lines(str(title), rows, plan)
    lines += [_donors_line(r, plan) for r in plan.rules if isinstance(r, Donors)]
    lines += [_deadline_line(r, plan) for r in plan.rules if isinstance(r, Deadline)]
    lines += [f"  {r.title}: {said}" for r in plan.rules if (said := r.kept(plan.table, plan.options))]
    return ["What the rules cost:", *lines] if lines else []


def _money_line(row: dict[str, float], of: str, unit: str) -> str:
    used = f"  {row['row']}: {row['used']:,.0f} of {row['limit']:,.0f} {of} used"
    if row["price"] > 0:
        step = _round_step(row["limit"])
        return f"{used}; another {few(step)} {of} would bring about {few(row['price'] * step, 2)} more {unit}"
    return f"{used}; a little more would bring nothing"


def _round_step(limit: float) -> float:
    """Return a power of ten that is a small part of a limit in money."""
    return float(10.0 ** np.floor(np.log10(max(limit, 10.0) / 20)))


def _donors_line(rule: Donors, plan: "Plan") -> str:
    """Say who pays how much, and whose money is short."""
    binding = plan.use[(plan.use["rule"] == rule.title) & (plan.use["price"] > 0)]
    if binding.empty:
        short = "a little more of it would bring nothing"
    else:
        row = binding.loc[binding["price"].idxmax()]
        step = _round_step(row["limit"])
        whose = str(row["row"]).removeprefix(f"{rule.title}: ").replace(" + ", " or ")
        brings = f"about {few(row['price'] * step, 2)} more {_whole(plan)}"
        short = f"another {few(step)} USD from {whose} would bring {brings}"
    if sum(isinstance(r, Donors) for r in plan.rules) > 1:  # who pays what is told for one set of grants
        return f"  {rule.title}: {short}"
    left = paid_by(plan, by=()).attrs["left_usd"]
    paid = [f"{g.name} pays {g.total - left[g.name]:,.0f} of {g.total:,.0f} USD" for g in rule.grants]
    more = [f"{len(paid) - _SHOWN} more grants"] if len(paid) > _SHOWN else []
    return f"  {rule.title}: {', '.join([*paid[:_SHOWN], *more])}; {short}"


def _deadline_line(rule: Deadline, plan: "Plan") -> str:
    """Say what is released in time, and what asking for more costs."""
    row = plan.use[plan.use["rule"] == rule.title].iloc[0]
    one = row["used"] == 1
    scale, unit = (1e4, "ha") if rule.of == "area" else (1, "hazard" if one else "hazards")
    used, asked = few(row["used"] / scale), few(row["limit"] / scale)
    asked = f"{asked} ha" if rule.of == "area" else asked
    done = f"  {rule.title}: {used} {unit} released in time, {asked} asked for"
    cost = abs(row["price"]) * 0.01 * row["limit"]
    if cost > 0:
        return f"{done}; binds, 1 % more costs {few(cost, 2)} {_whole(plan)}"
    return f"{done}; costs nothing, the best plan keeps it anyway"


def _team_lines(title: str, rows: pd.DataFrame, plan: "Plan") -> list[str]:
    binding = rows[rows["price"] > 0].sort_values("price", ascending=False, kind="stable")
    if binding.empty:
        return [f"  {title}: no team is short; a little more would bring nothing"]
    season = any(r.title == title and getattr(r, "season", None) is not None for r in plan.rules)
    lines = [
        f"  {title}: {len(binding)} of {len(rows)} limits bind{', as the season allows' if season else ''}"
    ]
    of = measured_in(next(r.of for r in plan.rules if r.title == title and hasattr(r, "amount")))
    lines += [
        f"  {row['row']}: {row['used']:,.1f} of {row['limit']:,.1f} {of} used; one more would bring about "
        f"{few(row['price'], 2)} {_whole(plan)}"
        for row in binding.head(_SHOWN).to_dict("records")
    ]
    return [*lines, *_and_more(len(binding))]


def _share_lines(title: str, rows: pd.DataFrame, plan: "Plan") -> list[str]:
    """Say which floors and ceilings bind, and what moving each by a hundredth of the whole changes."""
    binding = rows[rows["price"].abs() > 0].copy()
    if binding.empty:
        return [f"  {title}: costs nothing, the best plan keeps it anyway"]
    rule = next(r for r in plan.rules if r.title == title and isinstance(r, Share))
    whole = float(brought(rows_where(plan.table, rule.where), plan.options, rule.of).sum())
    binding["change"] = binding["price"].abs() * 0.01 * whole
    binding = binding.sort_values("change", ascending=False, kind="stable")
    what = _SHARED.get(rule.of, rule.of.replace("_", " "))
    lines = [
        f"  {row['row']}: binds; 1 % more of {what} for it {'costs' if row['price'] < 0 else 'would bring'} "
        f"{few(row['change'], 2)} {_whole(plan)}"
        for row in binding.head(_SHOWN).to_dict("records")
    ]
    return [*lines, *_and_more(len(binding))]


def _and_more(count: int) -> list[str]:
    return [f"  ... and {count - _SHOWN} more of these"] if count > _SHOWN else []


def _beware(plan: "Plan") -> list[str]:
    said = [n.text.rstrip(".") for n in plan.notes if (n.table, n.kind) in _TOLD]
    said = list(dict.fromkeys(text for text in said if "placeholder" not in text))
    lines = []
    if plan.placeholder:
        lines.append(
            "PLACEHOLDER NUMBERS: costs or effects without a source stand behind it; not for decisions yet."
        )
    lines += [f"Note: {text}." for text in said]
    others = len(plan.notes) - len(said)
    if others > 0:
        lines.append(f"{others} more notes on the data and what was assumed stand in plan.notes.")
    return [*lines, _NOT_SAFE] if "activity" in plan.table else lines


def as_html(plan: "Plan") -> str:
    """Write the story, the first rows, the bonuses and a map of points; every text is escaped."""
    story = f'<p style="white-space: pre-wrap">{html.escape(told(plan))}</p>'
    shown = [c for c in ("hazard_id", "activity", "year", "cost_usd", "benefit", "adm1") if c in plan.table]
    shown = shown or list(plan.table.columns[:6])
    first = plan.table.head(_ROWS)[shown]
    if "activity" in first:
        first = first.assign(activity=first["activity"].astype(str).map(lambda a: _SPELLED.get(a, a)))
    rows = _as_table(first.rename(columns={"cost_usd": "cost (USD)", "benefit": f"benefit ({_units(plan)})"}))
    more = f"<p>{len(plan.table):,} rows in all: plan.table</p>"
    bonuses = plan.bonuses.head(_ROWS).rename(columns={"bonus": f"bonus (counted like {_units(plan)})"})
    extra = _as_table(bonuses) if len(bonuses) else ""
    extra += f"<p>{len(plan.bonuses):,} bonuses in all: plan.bonuses</p>" if len(plan.bonuses) > _ROWS else ""
    return f"<div>{_points(plan)}{story}{rows}{more}{extra}</div>"


def _as_table(rows: pd.DataFrame) -> str:
    return str(rows.to_html(index=False, escape=True, float_format=lambda v: few(v, 4)))


def _points(plan: "Plan") -> str:
    table = plan.table
    if not {"lon", "lat", "year"} <= set(table.columns) or not {"lon", "lat"} <= set(plan.options.columns):
        return ""
    everywhere = plan.options[["lon", "lat"]].dropna().drop_duplicates()
    spots = table[["lon", "lat", "year"]].dropna().drop_duplicates(["lon", "lat"], keep="last")
    if everywhere.empty or spots.empty:
        return ""
    west, east, south, north = (everywhere[c].agg(f) for c in ("lon", "lat") for f in ("min", "max"))
    shrink = np.cos(np.radians((south + north) / 2))
    unit = 300 / max((east - west) * shrink, north - south, 1e-9)
    pale = everywhere.sample(min(len(everywhere), 2_000), random_state=0)
    spots = spots.sample(min(len(spots), 3_000), random_state=0)
    years = sorted(spots["year"].unique())
    place = {y: _COLORS[i % len(_COLORS)] for i, y in enumerate(years)}

    def dot(lon: float, lat: float, color: str, size: float) -> str:
        x, y = (lon - west) * shrink * unit + 5, (north - lat) * unit + 5
        return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{size}" fill="{color}"/>'

    dots = [dot(a, b, "#ccc", 1) for a, b in zip(pale["lon"], pale["lat"], strict=True)]
    dots += [
        dot(a, b, place[y], 2) for a, b, y in zip(spots["lon"], spots["lat"], spots["year"], strict=True)
    ]
    key = "".join(
        f'<text x="318" y="{20 + 16 * i}" fill="{place[y]}" font-size="12">{y}</text>'
        for i, y in enumerate(years)
    )
    drawn = "".join(dots) + key
    return f'<svg width="370" height="310" role="img" aria-label="Planned hazards by year">{drawn}</svg>'
