"""Several plans side by side: what each brings, what it costs, and where they differ."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from ccm_geo.errors import DataError
from ccm_geo.planning._priced import few
from ccm_geo.planning.bonuses import bonus_of, spoken, told_apart
from ccm_geo.planning.plan import Plan

_LAND = ("cancelled_m2", "reduced_m2", "cleared_m2")
_GROUPS = ("adm1",)
_SHOWN = 5


@dataclass(frozen=True, kw_only=True, repr=False)
class SideBySide:
    """Plans beside each other.

    Parameters
    ----------
    table
        One column per plan, one row per figure: benefit (with bonuses), averted (without),
        bonuses (where a plan has any), bound, gap, hazards, options, cost_usd, cost by year
        (``cost_usd 2027``), land released in m2 (cancelled_m2, reduced_m2, cleared_m2), people, placeholder
        rows. Figures that a plan's options do not hold are missing.
    groups
        Benefit and cost by value of the columns asked for: index (column, value, figure), one column a plan.
    hazards
        One row per hazard that has options in any plan, indexed by hazard_id: what each plan does there
        ("nts 2027, clearance 2028", or ""), and in: ``all``, ``some`` or ``none``.
    benefit_unit
        Unit of benefit.
    """

    table: pd.DataFrame = field(repr=False)
    groups: pd.DataFrame = field(repr=False)
    hazards: pd.DataFrame = field(repr=False)
    benefit_unit: str

    def differing(self) -> pd.DataFrame:
        """Return the hazards on which the plans do not all do the same."""
        plans = self.hazards.drop(columns="in")
        return self.hazards[plans.ne(plans.iloc[:, 0], axis=0).any(axis=1)]

    def __str__(self) -> str:
        counts = self.hazards["in"].value_counts()
        names = list(self.table.columns)
        averted, bonuses = self.table.loc["averted"], self._bonuses()
        best = str(averted.idxmax())
        brings = f"{few(averted[best])} {spoken(self.benefit_unit)}"
        lines = [
            f"{len(names)} plans; {best} brings most: {brings}." if len(names) > 1 else f"1 plan: {brings}."
        ]
        if bonuses.any():
            whole = averted + bonuses
            most = str(whole.idxmax())
            told = told_apart(averted[most], bonuses[most], self.benefit_unit)
            lines.append(f"With bonuses, {most} comes to most: {told}.")
        for name in names:
            less = 1 - averted[name] / averted[best] if averted[best] > 0 else 0.0
            spent = self.table.loc["cost_usd", name]
            money = f" for {spent:,.0f} USD" if np.isfinite(spent) else ""
            bonus = f" and {few(bonuses[name])} of bonuses" if bonuses[name] else ""
            brings = (
                f"  {name}: {few(averted[name])}{bonus} on "
                f"{self.table.loc['hazards', name]:,.0f} hazards{money}"
            )
            near = not bonuses.any() and less <= self.table.loc["gap"].max()
            open_ = ", which their gaps leave open" if near else ""
            lines.append(brings + (f", {less:.2%} less{open_}" if name != best else ""))
        lines.append(
            f"Of {len(self.hazards):,} hazards {counts.get('all', 0):,} are in all plans, "
            f"{counts.get('some', 0):,} in some, {counts.get('none', 0):,} in none; "
            f"{len(self.differing()):,} are not treated alike."
        )
        return "\n".join([*lines, *self._by_group(best)])

    def _bonuses(self) -> pd.Series:
        none = pd.Series(0.0, index=self.table.columns)
        return self.table.loc["bonuses"].fillna(0.0) if "bonuses" in self.table.index else none

    def _by_group(self, best: str) -> list[str]:
        """Say where the other plans bring more or less than the best one."""
        if self.groups.empty:
            return []
        gains = self.groups.xs("benefit", level="figure").fillna(0.0)
        lines = []
        for name in gains.columns.drop(best):
            change = (gains[name] - gains[best]).sort_values()
            less, more = change[change < 0].head(_SHOWN), change[change > 0].iloc[::-1].head(_SHOWN)
            told = [
                f"{word} {', '.join(f'{value} ({amount:+.2g})' for (_, value), amount in part.items())}"
                for word, part in (("more in", more), ("less in", less))
                if len(part)
            ]
            lines += [f"{name} against {best}: {'; '.join(told)}."] if told else []
        return lines

    def __repr__(self) -> str:
        return f"<{len(self.table.columns)} plans side by side>"

    def _repr_html_(self) -> str:
        return str(self.table.to_html(escape=True, float_format=lambda v: f"{v:,.4g}"))


def compare(plans: Mapping[str, Plan], *, by: str | list[str] | None = None) -> SideBySide:
    """Put plans side by side: benefit, money, land, people, regions, and hazards that are not treated alike.

    Parameters
    ----------
    plans
        Plans by name, for example ``{"with floors": plan, "without": free}``.
    by
        Columns of the options to break benefit and cost down by; by default adm1, where the plans have it.

    Returns
    -------
    SideBySide

    Raises
    ------
    DataError
        If there is no plan, if plans count benefit in different units, or if no plan has a column of `by`.

    Notes
    -----
    People are those of the planned hazards, each hazard once, in its first planned year; who lives near two
    hazards counts for each.

    Examples
    --------
    >>> from ccm_geo.planning import Budget, prioritize
    >>> options = pd.DataFrame({"hazard_id": list("abc"), "cost_usd": [1, 1, 1], "benefit": [5.0, 3.0, 2.0]})
    >>> both = compare({"rich": prioritize(options, [Budget(2)]), "poor": prioritize(options, [Budget(1)])})
    >>> both.table.loc["benefit"].tolist(), both.hazards["in"].tolist()
    ([8.0, 5.0], ['all', 'some', 'none'])
    """
    if not isinstance(plans, Mapping):
        raise DataError(
            "compare: give plans by name: compare({'as promised': plan, ...}), not a list of them"
        )
    if not plans:
        raise DataError("compare: give one plan at least, by name: compare({'as promised': plan, ...})")
    wrong = [name for name, plan in plans.items() if not isinstance(plan, Plan)]
    if wrong:
        kind = type(plans[wrong[0]]).__name__
        cure = "of plans for goals give .plan, of plans under funding one of .plans"
        raise DataError(f"compare: {wrong[0]!r} is no plan of prioritize but {kind}; {cure}")
    if by is not None and not isinstance(by, (str, list, tuple)):
        raise DataError(f"compare: by is a column of the options or a list of them, not {by!r}")
    units = {p.benefit_unit for p in plans.values()}
    if len(units) > 1:
        raise DataError(f"compare: plans count their benefit in different units: {', '.join(sorted(units))}")
    columns = _columns(plans, by)
    table = pd.DataFrame({name: pd.Series(_figures(p), dtype=float) for name, p in plans.items()})
    order = dict.fromkeys(key for p in plans.values() for key in _figures(p))
    return SideBySide(
        table=table.reindex(sorted(order, key=lambda k: (_rank(k), k))),
        groups=_groups(plans, columns),
        hazards=_hazards(plans),
        benefit_unit=units.pop(),
    )


_ORDER = (
    "benefit",
    "averted",
    "bonuses",
    "bound",
    "gap",
    "hazards",
    "options",
    "cost_usd",
    "people",
    "area_m2",
)


def _rank(figure: str) -> int:
    """Put figures in the order in which a planner reads them; those by year after their sum."""
    name = figure.split(" ", maxsplit=1)[0]
    return _ORDER.index(name) if name in _ORDER else len(_ORDER)


def _columns(plans: Mapping[str, Plan], by: str | list[str] | None) -> list[str]:
    known = set.intersection(*(set(p.options.columns) for p in plans.values()))
    if by is None:
        return [c for c in _GROUPS if c in known]
    wanted = [by] if isinstance(by, str) else list(by)
    absent = [c for c in wanted if c not in known]
    if absent:
        raise DataError(f"compare: not every plan's options have a column {absent[0]!r}")
    return wanted


def _figures(plan: Plan) -> dict[str, float]:
    table = plan.table
    out = {
        "benefit": plan.benefit,
        "averted": plan.averted,
        "bound": plan.bound,
        "gap": plan.gap,
        "hazards": float(plan.reasons["chosen"].sum()),
        "options": float(len(table)),
        "cost_usd": plan.cost_usd,
    }
    if len(plan.bonuses):
        out["bonuses"] = bonus_of(plan)
    if {"year", "cost_usd"} <= set(table.columns):
        for year, cost in table.groupby("year")["cost_usd"].sum().items():
            out[f"cost_usd {year}"] = float(cost)
    out |= {column: float(table[column].sum()) for column in _LAND if column in table}
    if {"people", "hazard_id"} <= set(table.columns):
        out["people"] = float(table.drop_duplicates("hazard_id")["people"].sum())
    if "placeholder" in table:
        out["placeholder rows"] = float(table["placeholder"].sum())
    return out


def _groups(plans: Mapping[str, Plan], columns: list[str]) -> pd.DataFrame:
    parts = {}
    for name, plan in plans.items():
        sums = []
        for column in columns:
            figures = [c for c in ("benefit", "cost_usd") if c in plan.table]
            held = plan.table.groupby(plan.table[column].astype(object))[figures].sum()
            held.columns.name, held.index.name = "figure", "value"
            sums.append(pd.concat({column: held.stack()}, names=["column"]))  # noqa: PD013 - figures become rows
        parts[name] = pd.concat(sums) if sums else pd.Series(dtype=float)
    if not columns:
        return pd.DataFrame(columns=list(plans))
    return pd.DataFrame(parts).fillna(0.0)


def _hazards(plans: Mapping[str, Plan]) -> pd.DataFrame:
    done = pd.DataFrame({name: p.reasons["activities"].astype(object) for name, p in plans.items()}).fillna(
        ""
    )
    chosen = pd.DataFrame({name: p.reasons["chosen"].astype(float) for name, p in plans.items()}).fillna(0.0)
    count = chosen.sum(axis=1).reindex(done.index)
    done["in"] = np.select([count == len(plans), count > 0], ["all", "some"], "none")
    done.index.name = "hazard_id"
    return done
