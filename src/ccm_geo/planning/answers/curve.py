"""What more money brings: benefit over budget, with its proven bound."""

import html
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd

from ccm_geo.errors import CcmGeoError, DataError, PlanError
from ccm_geo.planning import check
from ccm_geo.planning._given import require_search
from ccm_geo.planning._priced import SAME, few
from ccm_geo.planning.bonuses import counted_in, has_bonuses
from ccm_geo.planning.engine.arcs import Arcs
from ccm_geo.planning.engine.prices import Rows, answer, lowest_bound
from ccm_geo.planning.engine.solve import Solution, solve
from ccm_geo.planning.findings import read_rules
from ccm_geo.planning.listing import Floats, Listing, Mask, money_of
from ccm_geo.planning.model import Model, build
from ccm_geo.planning.rules.limits import Budget, Rule
from ccm_geo.planning.rules.shares import Share
from ccm_geo.schemas import Note, notes_of

SHARES = (
    0.25,
    0.5,
    0.75,
    1.0,
    1.25,
    1.5,
    1.75,
    2.0,
)  # of the money that the rules name; how finely, not how much

_LINE_TRIES = 40  # to find a line above the curve where options are too dear for an amount


@dataclass(frozen=True, kw_only=True, repr=False)
class Curve:
    """Benefit over budget: how much each amount of money averts, and what no plan can exceed.

    Parameters
    ----------
    table
        One row per amount, ascending: share (of the budget that the rules name), amount_usd, benefit (with
        bonuses), averted (without), bound (of every plan for this money), gap, cost_usd, hazards, next_usd
        (money for one more unit of benefit at this point, from the prices; inf where a little more brings
        nothing, though much more may), carried (the plan for less money was the better one).
    chosen
        Whether something is done on a hazard, by hazard_id (rows) and amount (columns).
    lines
        Lines above the curve: slope and height at 0, one for each amount; no plan for any amount
        exceeds the lowest of them. Empty where rules change with the money (see `notes`).
    grows
        Whether every plan for less money keeps the rules for more.
    notes
        What was assumed.
    benefit_unit
        Unit of benefit and bound.
    with_bonuses
        Whether a rule gives bonuses, which benefit and bound count in.
    """

    table: pd.DataFrame = field(repr=False)
    chosen: pd.DataFrame = field(repr=False)
    lines: Floats = field(repr=False)
    grows: bool
    notes: tuple[Note, ...]
    benefit_unit: str
    with_bonuses: bool = False

    def bound_at(self, amount_usd: float) -> float:
        """Return what no plan for this amount of money exceeds, whether it was planned for or not.

        The concave envelope of the bounds: money spread over the years, and all other rules, as in the curve.
        """
        heights = (self.lines[:, 0] * amount_usd + self.lines[:, 1]).tolist()
        if self.grows:
            heights += self.table.loc[self.table["amount_usd"] >= amount_usd, "bound"].tolist()
        return float(min(heights, default=np.inf))

    def first_in(self, hazard_id: str) -> float:
        """Return the smallest amount of the curve whose plan does something on a hazard; inf where none does.

        Raises
        ------
        DataError
            If the hazard has no options.
        """
        if hazard_id not in self.chosen.index:
            raise DataError(f"curve: hazard {hazard_id!r} has no options")
        row = self.chosen.loc[hazard_id].to_numpy()
        return float(self.chosen.columns[row.argmax()]) if row.any() else float("inf")

    def __str__(self) -> str:
        lines = [f"What money brings, in {self._unit}:"]
        for row in self.table.to_dict("records"):
            onward = (
                f"; one more costs about {few(row['next_usd'])} USD"
                if np.isfinite(row["next_usd"])
                else f"; a little more money brings nothing{self._later(row)}"
            )
            lines.append(
                f"  {row['amount_usd']:>15,.0f} USD: {few(row['benefit'])}{self._apart(row)} on "
                f"{row['hazards']:,} hazards (at most {few(row['bound'])}, gap {row['gap']:.2%}){onward}"
            )
        return "\n".join(lines)

    def _later(self, row: dict[Any, Any]) -> str:
        """Name the first larger amount that brings more: options too dear for a limit have no price."""
        better = self.table.loc[self.table["benefit"] > row["benefit"] * (1 + SAME), "amount_usd"]
        return f", {better.iloc[0]:,.0f} USD does" if len(better) else ""

    @property
    def _unit(self) -> str:
        return counted_in(self.benefit_unit, bonuses=self.with_bonuses)

    def _apart(self, row: dict[Any, Any]) -> str:
        if not self.with_bonuses:
            return ""
        bonus = max(row["benefit"] - row["averted"], 0.0)
        bonus = bonus if bonus > SAME * row["benefit"] else 0.0
        return f" ({few(row['averted'])} averted, {few(bonus)} of bonuses)"

    def __repr__(self) -> str:
        return f"<Curve of {len(self.table)} budgets>"

    def _repr_html_(self) -> str:
        rows = self.table.drop(columns="carried").to_html(index=False, float_format=lambda v: f"{v:,.4g}")
        return f"<div>{_drawn(self.table, self._unit)}{rows}</div>"


def priority_curve(
    options: pd.DataFrame,
    rules: Sequence[Rule],
    *,
    amounts: Sequence[float] | None = None,
    shares: Sequence[float] | None = None,
    budget: str | None = None,
    gap: float = 5e-3,
    seconds: float = 120.0,
) -> Curve:
    """Plan for several amounts of money: what each averts, and what no plan for it can exceed.

    Parameters
    ----------
    options, rules
        As for `prioritize`. The amounts of one `Budget` rule are varied, in proportion in every year.
    amounts
        Money in all, in USD. Without a `Budget` among the rules: one amount for all years together.
    shares
        Or shares of the money that the rule names. By default a quarter of it to twice as much.
    budget
        Title of the `Budget` to vary; by default the one for all options (no ``where``).
    gap
        How far from the best is good enough at each amount.
    seconds
        For all amounts together; what was reached stands in the gaps.

    Returns
    -------
    Curve

    Raises
    ------
    DataError
        If it is not clear which money to vary, or an amount is none.
    PlanError
        If no amount allows a plan. Amounts without a plan are left out, and a note says so.

    Notes
    -----
    More money never lowers the benefit: a plan that keeps the rules at one amount and is better than the one
    found for a larger amount takes its place there, after it was checked against the larger amount's rules.
    A bound for more money holds for less. With prices p of the varied rows at the amount a, no plan for
    another amount a' exceeds :math:`L_a + (a' - a) p s`, where s spreads the money over the rows: a line
    above the curve, and the lowest of these lines is concave.

    Examples
    --------
    >>> options = pd.DataFrame({"option_id": list("abc"), "cost_usd": [1, 1, 2], "benefit": [5.0, 3.0, 2.0]})
    >>> priority_curve(options, [Budget(2)], amounts=[1, 2, 4]).table["benefit"].tolist()
    [5.0, 8.0, 10.0]
    """
    require_search("curve", gap=gap, seconds=seconds)
    given = read_rules(rules)
    listing = Listing.of(options)
    money = Money.of(listing, given, budget)
    wanted = money.shares(amounts, shares)
    points, notes = _points(listing, money, wanted, gap=gap, seconds=seconds)
    grows = _carry_over(points, money)
    lines = _lines(points, money)
    if not grows:
        text = "some rules change with the money, so that a plan for less of it need not keep those for more"
        notes.append(Note("plan", "assumed", text))
    chosen = {p.amount: worked(listing, p.taken) for p in points}
    unit = "accidents averted" if "activity" in options else "benefit"
    return Curve(
        table=_table(points, lines),
        chosen=pd.DataFrame(chosen, index=pd.Index(listing.hazard_ids, name="hazard_id")),
        lines=lines,
        grows=grows,
        notes=tuple(dict.fromkeys((*notes_of(options), *notes))),
        benefit_unit=str(options.attrs.get("benefit_unit", unit)),
        with_bonuses=has_bonuses(money.rules),
    )


@dataclass(frozen=True, kw_only=True)
class Money:
    """The budget that is varied, and the other rules."""

    rules: tuple[Rule, ...]
    place: int
    whole: float

    @classmethod
    def of(cls, listing: Listing, rules: tuple[Rule, ...], title: str | None) -> "Money":
        """Find the budget by its title, or the only one for all options."""
        found = [i for i, r in enumerate(rules) if isinstance(r, Budget) and r.of == "cost_usd"]
        if title is not None:
            found = [i for i in found if rules[i].title == title]
        elif len(found) > 1:
            found = [i for i in found if getattr(rules[i], "where", None) is None]
        if len(found) > 1 or (not found and title is not None):
            names = ", ".join(r.title for r in rules if isinstance(r, Budget)) or "none"
            raise DataError(f"curve: say which Budget to vary, budget= one of the titles; there are {names}")
        if found:
            amount = rules[found[0]].amount  # type: ignore[attr-defined]
            whole = float(sum(amount.values()) if isinstance(amount, Mapping) else amount)
            return cls(rules=rules, place=found[0], whole=whole)
        dearest = float(listing.numbers("cost_usd", "curve").sum())
        return cls(rules=(*rules, Budget(dearest)), place=len(rules), whole=float("nan"))

    def shares(self, amounts: Sequence[float] | None, shares: Sequence[float] | None) -> list[float]:
        """Return the amounts as shares of the rule's money (or as they are, where no rule names any)."""
        for name, given in (("amounts", amounts), ("shares", shares)):
            _require_numbers(name, given)
        if (amounts is None) == (shares is None) and amounts is not None:
            raise DataError("curve: give amounts= or shares=, not both")
        if amounts is None and self.whole != self.whole:
            raise DataError("curve: no Budget among the rules, so give amounts= in USD")
        if amounts is not None and self.whole == 0:
            raise DataError("curve: the Budget names no money at all; give one with an amount to vary")
        known = self.whole if self.whole == self.whole else 1.0
        wanted = [a / known for a in amounts] if amounts is not None else list(shares or SHARES)
        if not wanted or not all(np.isfinite(w) and w >= 0 for w in wanted):
            raise DataError("curve: amounts and shares must be numbers of 0 or more")
        return sorted(set(map(float, wanted)))

    def at(self, share: float) -> tuple[Rule, ...]:
        """Return the rules with this share of the money."""
        rule: Any = self.rules[self.place]
        if self.whole != self.whole:
            new = replace(rule, amount=share)
        elif isinstance(rule.amount, Mapping):
            new = replace(rule, amount={y: cents(a * share) for y, a in rule.amount.items()})
        else:
            new = replace(rule, amount=cents(rule.amount * share))
        return (*self.rules[: self.place], new, *self.rules[self.place + 1 :])

    def amount(self, share: float) -> float:
        """Return the money in all."""
        return share if self.whole != self.whole else self.whole * share


def _require_numbers(name: str, given: Any) -> None:
    if given is None:
        return
    numbers = isinstance(given, Iterable) and not isinstance(given, (str, Mapping))
    if not numbers or not all(
        isinstance(a, (int, float, np.number)) and not isinstance(a, bool) for a in given
    ):
        raise DataError(f"curve: {name} must be a list of numbers, for example [1e5, 2e5], not {given!r}")


def cents(amount: float) -> float:
    """Round to the cent: a third of a budget is no number of cents."""
    return round(amount, 2)


@dataclass(kw_only=True)
class _Point:
    """One amount of money: what was found for it.

    `prices` are those of the varied rows, `rise` those of the line above the curve, `line` its height here.
    """

    share: float
    amount: float
    model: Model
    taken: Mask
    benefit: float
    bound: float
    line: float
    rise: Floats
    prices: Floats
    limits: Floats
    carried: bool = False


def _points(
    listing: Listing, money: Money, wanted: list[float], *, gap: float, seconds: float
) -> tuple[list[_Point], list[Note]]:
    until = time.monotonic() + seconds
    points: list[_Point] = []
    notes: list[Note] = []
    without = []
    for i, share in enumerate(wanted):
        left = max(until - time.monotonic(), 0.05 * seconds) / (len(wanted) - i)
        model = build(listing, money.at(share))
        found = solve(model, gap=gap, seconds=left)
        notes += model.notes
        if found is None:
            without.append(money.amount(share))
        else:
            points.append(_point(model, found, share, money))
    if not points:
        raise PlanError("curve: for none of these amounts was a plan found that keeps all rules")
    if without:
        told = ", ".join(f"{a:,.0f}" for a in without)
        text = f"no plan was found for {told} USD: left out of the curve"
        notes.append(Note("plan", "unknown", text, len(without)))
    return points, notes


def _point(model: Model, found: Solution, share: float, money: Money) -> _Point:
    model = found.laid or model
    wrong = faults(model, found.taken, found.benefit)
    if wrong:
        raise CcmGeoError("curve: a plan fails its own check; please report this: " + "; ".join(wrong[:3]))
    arcs, rows = Arcs.of(model), Rows.of(model)
    prices = rows.allowed(found.prices)
    varied = np.concatenate([np.full(len(f.labels), f.rule == money.place) for f in model.families])
    above = answer(arcs, rows, prices)
    if found.too_large is not None and found.too_large.any():  # for more money they may fit
        above = min(above, lowest_bound(arcs, rows, most_tries=_LINE_TRIES), key=lambda a: a.bound)
    return _Point(
        share=share,
        amount=money.amount(share),
        model=model,
        taken=found.taken,
        benefit=found.benefit,
        bound=max(min(found.bound, above.bound + 1e-12 * abs(above.bound)), found.benefit),
        line=above.bound,
        rise=above.prices[varied],
        prices=prices[varied],
        limits=rows.upper[varied],
    )


def faults(model: Model, taken: Mask, benefit: float) -> list[str]:
    """Have a plan tested from its rows alone, by the check that shares no code with the model."""
    frame = model.listing.frame
    rows = np.nonzero(taken)[0]
    return check.faults_of(frame.iloc[rows], frame, model.rules, benefit=benefit, rows=rows)


def _carry_over(points: list[_Point], money: Money) -> bool:
    """Let plans for less money stand where they are better, and bounds for more money hold for less.

    Returns
    -------
    bool
        Whether the rules allow with more money whatever they allow with less.
    """
    for less, more in pairwise(points):
        if less.benefit > more.benefit and not faults(more.model, less.taken, less.benefit):
            more.taken, more.benefit, more.carried = less.taken, less.benefit, True
            more.bound = max(more.bound, more.benefit)
    looser = all(_looser(a.model, b.model, money.place) for a, b in pairwise(points))
    if looser:
        for less, more in reversed(list(pairwise(points))):
            less.bound = max(min(less.bound, more.bound), less.benefit)
    return looser


def _looser(less: Model, more: Model, varied: int) -> bool:
    """Say whether every plan that keeps the rules for less money keeps those for more."""
    for i, (a, b) in enumerate(zip(less.rules, more.rules, strict=True)):
        if i == varied or a == b:
            continue
        if not (isinstance(a, Share) and isinstance(b, Share)):
            return False
        if replace(a, at_least=b.at_least, at_most=b.at_most) != b:
            return False
        floors = _lower(b.at_least, a.at_least)
        if not (floors and _lower(a.at_most, b.at_most)):
            return False
    return True


def _lower(a: Any, b: Any) -> bool:
    """Say whether shares by region are nowhere above others."""
    if not (isinstance(a, Mapping) and isinstance(b, Mapping)):
        return a == b
    return a.keys() == b.keys() and all(a[k] <= b[k] + 1e-15 for k in a)


def _lines(points: list[_Point], money: Money) -> Floats:
    """Slope and height at 0 of the line through each point; none where other rules change with the money."""
    first = points[0].model.rules
    rest = range(len(first))
    if any(p.model.rules[i] != first[i] for p in points for i in rest if i != money.place):
        return np.zeros((0, 2))
    paid = max(points, key=lambda p: p.amount)
    spread = paid.limits / paid.amount if paid.amount > 0 else np.zeros(len(paid.limits))
    slopes = [float(p.rise @ spread) for p in points]
    return np.array([[s, p.line - s * p.amount] for s, p in zip(slopes, points, strict=True)])


def _table(points: list[_Point], lines: Floats) -> pd.DataFrame:
    amounts = np.array([p.amount for p in points])
    benefit, bound = (np.array([getattr(p, n) for p in points]) for n in ("benefit", "bound"))
    slope = np.array([_slope(p) for p in points])
    if len(lines):
        envelope = (lines[:, :1] * amounts + lines[:, 1:]).min(axis=0)
        bound = np.maximum(np.minimum(bound, envelope + 1e-9 * np.abs(envelope)), benefit)
    with np.errstate(divide="ignore", invalid="ignore"):
        gap = np.where(bound > 0, (bound - benefit) / bound, 0.0)
        onward = np.where(slope > 0, 1.0 / slope, np.inf)
    money = [float(money_of(p.model.listing)[p.taken].sum()) for p in points]
    return pd.DataFrame(
        {
            "share": [p.share for p in points],
            "amount_usd": amounts,
            "benefit": benefit,
            "averted": [float(p.model.listing.benefit[p.taken].sum()) for p in points],
            "bound": bound,
            "gap": gap,
            "cost_usd": money,
            "hazards": [int(worked(p.model.listing, p.taken).sum()) for p in points],
            "next_usd": onward,
            "carried": [p.carried for p in points],
        }
    )


def _slope(point: _Point) -> float:
    """Benefit of one more dollar, spread over the years as the money is."""
    if point.amount <= 0:
        return float(point.prices.max(initial=0.0))
    return float(point.prices @ point.limits) / point.amount


def worked(listing: Listing, taken: Mask) -> Mask:
    """Say on which hazards something is done."""
    out = np.zeros(len(listing.hazard_ids), bool)
    out[listing.hazard[taken]] = True
    return out


def _drawn(table: pd.DataFrame, unit: str) -> str:
    """Draw benefit (solid) and bound (dashed) over money."""
    width, height, left, low = 420, 240, 60, 40
    top = max(float(table["bound"].max()), 1e-300)
    most = max(float(table["amount_usd"].max()), 1e-300)

    def path(column: str) -> str:
        spots = zip(table["amount_usd"], table[column], strict=True)
        return " ".join(
            f"{left + (width - left - 10) * a / most:.1f},{height - low - (height - low - 15) * b / top:.1f}"
            for a, b in spots
        )

    style = 'fill="none" stroke="#1b6ca8" stroke-width="2"'
    marks = "".join(
        f'<circle cx="{xy.split(",")[0]}" cy="{xy.split(",")[1]}" r="3" fill="#1b6ca8"/>'
        for xy in path("benefit").split()
    )
    words = (
        f'<text x="{left}" y="{height - 22}" font-size="11">0</text>'
        f'<text x="{width - 5}" y="{height - 22}" font-size="11" text-anchor="end">{most:,.0f} USD</text>'
        f'<text x="{left - 5}" y="20" font-size="11" text-anchor="end">{few(top)}</text>'
        f'<text x="{left}" y="{height - 6}" font-size="11">{html.escape(unit)} over money: '
        "solid planned, dashed proven bound</text>"
    )
    axes = (
        f'<path d="M{left},10 V{height - low} H{width - 5}" fill="none" stroke="#666"/>'
        f'<polyline points="{path("bound")}" {style} stroke-dasharray="5 4"/>'
        f'<polyline points="{path("benefit")}" {style}/>'
    )
    label = f"{html.escape(unit)} over money"
    return (
        f'<svg width="{width}" height="{height}" role="img" aria-label="{label}">{axes}{marks}{words}</svg>'
    )
