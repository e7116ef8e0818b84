"""Looks over options and rules before solving and says what seems odd, in one line of advice each."""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd

from ccm_geo.errors import DataError, PlanError
from ccm_geo.schemas import Note

from .engine.arcs import Arcs
from .engine.prices import plain, walk
from .listing import Floats, Listing, absent_values, matching
from .rules.donors import Donors
from .rules.limits import Budget, Capacity, Rule, listed
from .rules.promises import LockIn, LockOut
from .rules.shares import Share, closing_steps

_MAGNITUDE = 1e9  # largest over smallest number beyond which one of them is likely in another unit
_FEW = 5  # hazards below which benefits of 1, 2, 3 may be what they are
_MANY = 20  # options below which a row of numbers proves nothing
_RELEASE_USD_PER_M2 = (0.22, 39.0)
"""Lowest programme average (cluster munitions, Lao PDR 2010-2017), highest (minefields, world 2006)."""
_BEYOND = 10  # times outside the published range: likely another unit, not another country
_WORLD_CASUALTIES = 6_279  # recorded in the whole world in 2024 (Landmine Monitor 2025)
_SEVERITIES = ("error", "warning", "advice")
_INDEX_TOP = (90.0, 100.0)  # where the best of a score from 0 to 100 stands


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One thing that seems odd before solving.

    Parameters
    ----------
    severity
        ``error`` (no plan can come of it), ``warning`` (the plan may mean something else than you think) or
        ``advice`` (harmless, but worth knowing).
    code
        Short fixed name, to look for by program.
    about
        Rule or column.
    cause, cure
        What was found, and what to do.
    affected
        How many options or hazards it concerns; 0 where it is about a whole rule.
    """

    severity: Literal["error", "warning", "advice"]
    code: str
    about: str
    cause: str
    cure: str
    affected: int = 0

    def __str__(self) -> str:
        return f"{self.about}: {self.cause}; {self.cure}"


def look_over(options: pd.DataFrame, rules: Sequence[Rule] = ()) -> pd.DataFrame:
    """Say what seems odd in options and rules, without solving anything.

    Parameters
    ----------
    options, rules
        As for `prioritize`, which looks them over too: there errors are raised, the rest become notes.

    Returns
    -------
    pandas.DataFrame
        Columns severity (``error``, ``warning``, ``advice``), code, about, cause, cure, affected; worst
        first. An empty table means that nothing odd was found, not that the input is right.

    Raises
    ------
    DataError
        If options or rules cannot be read at all.

    Examples
    --------
    >>> options = pd.DataFrame({"option_id": ["a"], "year": [2027], "cost_usd": [10.0], "benefit": [1.0]})
    >>> look_over(options, [Budget({2027: 0.001})])[["severity", "code", "about"]].values.tolist()
    [['warning', 'no-money', 'Budget']]
    """
    rules = read_rules(rules)
    listing = Listing.of(options)
    unit = str(options.attrs.get("benefit_unit", ""))
    found = [*_misfits(listing, rules), *_found(listing, rules, unit)]
    found.sort(key=lambda f: _SEVERITIES.index(f.severity))
    columns = list(Finding.__dataclass_fields__)
    return pd.DataFrame([asdict(f) for f in dict.fromkeys(found)], columns=columns).astype(
        {"affected": "int64"}
    )


def read_rules(rules: Any) -> tuple[Rule, ...]:
    """Return rules as a tuple.

    Raises
    ------
    DataError
        If they are one rule and no list, or one of them is no rule.
    """
    if isinstance(rules, (Rule, str)) or not isinstance(rules, Iterable):
        kind = rules.title if isinstance(rules, Rule) else repr(rules)
        raise DataError(
            f"rules: {kind} is no list of rules; give [Budget(...)], also where there is one only"
        )
    given = tuple(rules)
    for rule in given:
        if not isinstance(rule, Rule):
            raise DataError(
                f"rules: {rule!r} is not a rule; give Budget(...), Share(...), LockIn(...) and so on"
            )
    return given


def looked_over(listing: Listing, rules: Sequence[Any]) -> list[Note]:
    """Find silly input, on the way to a plan.

    Raises
    ------
    PlanError
        If something is both locked in and locked out.
    """
    notes = []
    for finding in _found(listing, rules, ""):
        if finding.severity == "error":
            raise PlanError(finding.cause, conflict=finding.about.split(" and "), cures=[finding.cure])
        notes.append(Note("plan", "advice", str(finding), finding.affected))
    return notes


def _found(listing: Listing, rules: Sequence[Any], unit: str) -> Iterator[Finding]:
    yield from _contradictions(rules)
    yield from _odd_numbers(listing)
    yield from _odd_benefit(listing, unit)
    yield from _odd_costs(listing)
    yield from _odd_years(listing)
    for rule in rules:
        yield from _absent(listing, rule)
        if isinstance(rule, Budget):
            yield from _odd_money(listing, rule)
        elif isinstance(rule, Capacity):
            yield from _odd_teams(listing, rule)
        elif isinstance(rule, Donors):
            yield from _odd_grants(listing, rule)
        elif isinstance(rule, Share):
            yield from _odd_floors(listing, rule, rules)


def _misfits(listing: Listing, rules: Sequence[Any]) -> Iterator[Finding]:
    """Let every rule lay itself over the options; what it refuses is an error."""
    for number, rule in enumerate(rules):
        try:
            exact, _ = rule.fitted(listing, tuple(rules))
            exact.compiled(listing, number)
        except PlanError as error:
            cause = str(error).splitlines()[0]
            yield Finding(
                severity="error",
                code="cannot-hold",
                about=rule.title,
                cause=cause.removeprefix(f"{rule.title}: "),
                cure=listed(error.cures) or "drop or loosen it",
            )
        except DataError as error:
            cause, _, cure = str(error).removeprefix(f"{rule.title}: ").partition("; ")
            yield Finding(
                severity="error",
                code="does-not-fit",
                about=rule.title,
                cause=cause,
                cure=cure or "correct the name",
            )


def _contradictions(rules: Sequence[Any]) -> Iterator[Finding]:
    outs = [r for r in rules if isinstance(r, LockOut)]
    for yes in (r for r in rules if isinstance(r, LockIn)):
        for no in outs:
            both = [h for h in yes.hazards if h in set(no.hazards)]
            covers = all(getattr(no, n) in (None, getattr(yes, n)) for n in ("activity", "year"))
            if both and covers:
                yield Finding(
                    severity="error",
                    code="locked-in-and-out",
                    about=f"{yes.title} and {no.title}",
                    cause=f"{len(both)} hazards are both locked in and locked out, first {both[0]!r}",
                    cure=f"take {both[0]!r} out of one of the two",
                    affected=len(both),
                )


def _absent(listing: Listing, rule: Any) -> Iterator[Finding]:
    """Name the values of a list that stand in no option; a single one is refused by the rule itself."""
    given = [getattr(rule, n, None) for n in ("where", "first", "then")]
    given += [grant.where for grant in getattr(rule, "grants", ())]
    for where in (w for w in given if isinstance(w, Mapping)):
        for column, wanted in where.items() if _fits(listing, where) else ():
            if gone := absent_values(listing.frame, column, wanted):
                yield Finding(
                    severity="advice",
                    code="value-not-there",
                    about=rule.title,
                    cause=f"no option has {column} {listed(gone[:10])}",
                    cure="the others of the list count; check the spelling",
                )


def _odd_numbers(listing: Listing) -> Iterator[Finding]:
    for name in ("benefit", "cost_usd"):
        if name not in listing.frame:
            continue
        values = listing.frame[name].to_numpy(dtype=float)
        size = np.abs(values[values != 0])
        middle = np.median(size) if len(size) else 0.0
        if len(size) and size.max() > _MAGNITUDE * middle:
            row = listing.frame["option_id"].iloc[int(np.abs(values).argmax())]
            yield Finding(
                severity="warning",
                code="magnitude",
                about=name,
                cause=f"{name} of {row!r} is {size.max():g}, the middle one {middle:g}",
                cure="check the unit",
                affected=1,
            )


def _odd_benefit(listing: Listing, unit: str) -> Iterator[Finding]:
    benefit = listing.benefit
    harmful, several = int((benefit < 0).sum()), np.unique(benefit)
    if harmful:
        cause, cure = f"{harmful:,} options do harm (benefit below 0)", "none helps by itself; check the sign"
        yield Finding(
            severity="advice",
            code="negative-benefit",
            about="benefit",
            cause=cause,
            cure=cure,
            affected=harmful,
        )
    if not (benefit > 0).any():
        cause, cure = "no option has a benefit above 0", "the best plan does nothing that no rule asks for"
        yield Finding(severity="warning", code="no-benefit", about="benefit", cause=cause, cure=cure)
    kind = ""
    if len(several) >= _MANY and np.array_equal(several, np.arange(1, len(several) + 1)):
        kind = f"benefit runs from 1 to {len(several)}: it looks like a rank, and ranks do not add up"
    elif _ranked(listing):
        count = len(listing.hazard_ids)
        kind = (
            f"every hazard has one benefit in all years, from 1 to {count}: it looks like a rank, "
            "and ranks do not add up"
        )
    elif len(several) >= _MANY and _is_index(several) and not _falls(listing):
        kind = "benefit runs up to about 100: it looks like a score, and scores do not add up"
    if kind:
        cure = "give what each option averts, as list_options does"
        yield Finding(severity="warning", code="not-additive", about="benefit", cause=kind, cure=cure)
    if unit == "accidents averted":
        most, years = float(_most(listing, benefit).sum()), len(listing.years)
        if most > _WORLD_CASUALTIES * years:
            cause = f"all options would avert {most:,.0f} accidents in {years} years, more than the world has"
            cure = "check the people within reach, the accident rate and the unit"
            yield Finding(
                severity="warning", code="too-many-accidents", about="benefit", cause=cause, cure=cure
            )


def _ranked(listing: Listing) -> bool:
    """Say whether the hazards' benefits are 1, 2, 3 and so on, whenever and whatever is done."""
    count = len(listing.hazard_ids)
    if count < _FEW or len(listing.years) < 2 or np.diff(listing.first).min() < 2:
        return False
    low, high = (f.reduceat(listing.benefit, listing.first[:-1]) for f in (np.minimum, np.maximum))
    return np.array_equal(low, high) and np.array_equal(np.sort(low), np.arange(1, count + 1))


def _falls(listing: Listing) -> bool:
    """Say whether the same step never averts more in a later year, and some avert less: no score does so."""
    if "state_from" not in listing.frame:
        return False
    step = pd.DataFrame({n: getattr(listing, n) for n in ("hazard", "src", "dst", "year", "benefit")})
    step = step[step["src"] != step["dst"]]
    best = step.groupby(["hazard", "src", "dst", "year"])["benefit"].max()
    change = best.groupby(level=["hazard", "src", "dst"]).diff().dropna()
    return bool((change <= 0).all() and (change < 0).any())


def _is_index(values: Floats) -> bool:
    """Say whether numbers look like a score: from 0 up to about 100, most of them above 1."""
    low, high = values.min(), values.max()
    return bool(low >= 0 and _INDEX_TOP[0] <= high <= _INDEX_TOP[1] and np.mean(values > 1) > 0.8)


def _odd_costs(listing: Listing) -> Iterator[Finding]:
    frame = listing.frame
    if not {"cost_usd", "area_m2", "state_to"} <= set(frame.columns):
        return
    held = closing_steps(listing) & (frame["area_m2"].to_numpy(dtype=float) > 0)
    rate = frame["cost_usd"].to_numpy(dtype=float)[held] / frame["area_m2"].to_numpy(dtype=float)[held]
    low, high = _RELEASE_USD_PER_M2
    odd = (rate < low / _BEYOND) | (rate > high * _BEYOND)
    if odd.any():
        row = frame["option_id"].to_numpy()[held][odd][0]
        cause = (
            f"{int(odd.sum()):,} options release land for less than {low / _BEYOND:g} or more than "
            f"{high * _BEYOND:g} USD per m2, first {row!r} for {rate[odd][0]:.3g}"
        )
        cure = (
            f"published figures run from {low:g} to {high:g}; check the unit, or a fixed cost on little land"
        )
        yield Finding(
            severity="warning",
            code="cost-per-m2",
            about="cost_usd",
            cause=cause,
            cure=cure,
            affected=int(odd.sum()),
        )


def _odd_years(listing: Listing) -> Iterator[Finding]:
    if "year" not in listing.frame:
        return
    years = listing.years
    silent = sorted(set(range(int(years[0]), int(years[-1]) + 1)) - set(years.tolist()))
    if silent:
        cause, cure = f"there are no options in {listed(silent)}", "nothing is planned in those years"
        yield Finding(severity="warning", code="year-without-options", about="year", cause=cause, cure=cure)


def _odd_money(listing: Listing, rule: Budget) -> Iterator[Finding]:
    amounts = list(rule.amount.values()) if isinstance(rule.amount, Mapping) else [rule.amount]
    money = math.fsum(amounts)
    if not _adds_up(listing, rule.of):
        return
    held = _held(listing, rule)
    cost = np.where(held, listing.frame[rule.of].to_numpy(dtype=float), 0.0)
    paid = cost[cost > 0]
    if round(100 * money) == 0 and str(rule.of).endswith("_usd"):
        cause, cure = "there is no money", "only what costs nothing can be planned"
        yield Finding(severity="warning", code="no-money", about=rule.title, cause=cause, cure=cure)
        return
    if not len(paid):
        cause, cure = f"no option of its kind has {rule.of} above 0", "it limits nothing; check where="
        yield Finding(severity="warning", code="nothing-to-pay", about=rule.title, cause=cause, cure=cure)
        return
    dearest = float(_most(listing, cost).sum())
    if money > dearest:
        cause, cure = f"{money:,.0f} exceeds all that options can cost ({dearest:,.0f})", "it is no limit"
        yield Finding(severity="advice", code="more-than-all-costs", about=rule.title, cause=cause, cure=cure)
    if (money if rule.carry_over else max(amounts)) < paid.min():
        cause, cure = (
            f"no year's money pays for the cheapest option ({paid.min():,.2f})",
            "check the unit, or carry_over",
        )
        yield Finding(severity="warning", code="less-than-any-cost", about=rule.title, cause=cause, cure=cure)


def _odd_teams(listing: Listing, rule: Capacity) -> Iterator[Finding]:
    if not _adds_up(listing, rule.of) or (rule.by is not None and rule.by not in listing.frame):
        return
    held = _held(listing, rule)
    work = np.where(held, listing.frame[rule.of].to_numpy(dtype=float), 0.0)
    if not (work > 0).any():
        cause, cure = f"no option uses {rule.of}", "it limits nothing; give team-months for each activity"
        yield Finding(severity="warning", code="nothing-to-do", about=rule.title, cause=cause, cure=cure)
        return
    if rule.by is None or not isinstance(rule.amount, Mapping):
        return
    region = listing.frame[rule.by].iloc[listing.first[:-1]].astype(str).to_numpy()
    need = pd.Series(_most(listing, work)).groupby(region).sum()
    idle = [r for r, a in rule.amount.items() if _yearly(a) > 0 and need.get(str(r), 0.0) <= 0]
    if idle:
        cause, cure = f"teams of {listed(idle[:10])} have nothing to do", "move them, or list options there"
        yield Finding(
            severity="advice", code="idle-teams", about=rule.title, cause=cause, cure=cure, affected=len(idle)
        )
    ample = [r for r, a in rule.amount.items() if r not in idle and _yearly(a) > need.get(str(r), 0.0)]
    if ample:
        cause = f"one year's teams of {listed(ample[:10])} could do all the work there is"
        cure = "they are no limit; check that the amount is in team-months a year"
        yield Finding(
            severity="advice",
            code="ample-teams",
            about=rule.title,
            cause=cause,
            cure=cure,
            affected=len(ample),
        )


def _yearly(amount: Any) -> float:
    return float(min(amount.values(), default=0.0)) if isinstance(amount, Mapping) else float(amount)


def _odd_grants(listing: Listing, rule: Donors) -> Iterator[Finding]:
    if "cost_usd" not in listing.frame:
        return
    cost = listing.frame["cost_usd"].to_numpy(dtype=float)
    for grant in rule.grants:
        if round(100 * grant.total) == 0:
            cause, cure = f"grant {grant.name} has no money", "leave it out"
            yield Finding(severity="warning", code="no-money", about=rule.title, cause=cause, cure=cure)
            continue
        if not _fits(listing, grant.where):
            continue
        held = matching(listing.frame, grant.where, grant.name)
        most = float(_most(listing, np.where(held, cost, 0.0)).sum())
        if grant.total > most:
            cause = (
                f"grant {grant.name} has {grant.total:,.0f}; what it may pay for costs {most:,.0f} at most"
            )
            cure = "widen its purpose or expect money left over"
            yield Finding(
                severity="advice", code="more-than-all-costs", about=rule.title, cause=cause, cure=cure
            )


def _odd_floors(listing: Listing, rule: Share, rules: Iterable[Any]) -> Iterator[Finding]:
    if (
        rule.of != "cost_usd"
        or not {"cost_usd", rule.column} <= set(listing.frame.columns)
        or rule.at_least is None
    ):
        return
    held = _held(listing, rule)
    cost = np.where(held, listing.frame["cost_usd"].to_numpy(dtype=float), 0.0)
    most = _most(listing, cost)
    whole = min([float(most.sum()), *(r.spendable("cost_usd") for r in rules)])
    region = listing.frame[rule.column].iloc[listing.first[:-1]].astype(str).to_numpy()
    can = pd.Series(most).groupby(region).sum()
    floors = rule.at_least if isinstance(rule.at_least, Mapping) else dict.fromkeys(can.index, rule.at_least)
    short = [r for r, share in floors.items() if share * whole > can.get(str(r), 0.0) * (1 + 1e-9)]
    if short:
        cause = f"floors of {listed(short[:10])} exceed all that options there can cost"
        cure = "they are held to what they can use, or list more options there"
        yield Finding(
            severity="warning",
            code="floor-above-all-costs",
            about=rule.title,
            cause=cause,
            cure=cure,
            affected=len(short),
        )


def _held(listing: Listing, rule: Any) -> Any:
    """Say which options a rule is about; a misfit is reported by the rule itself."""
    if not _fits(listing, rule.where):
        return np.zeros(len(listing.frame), bool)
    return matching(listing.frame, rule.where, rule.title)


def _adds_up(listing: Listing, column: str) -> bool:
    """Say whether a column is there and holds numbers; a misfit is reported by the rule itself."""
    return column in listing.frame and pd.api.types.is_numeric_dtype(listing.frame[column].dtype)


def _fits(listing: Listing, where: Any) -> bool:
    try:
        matching(listing.frame, where, "")
    except DataError:
        return False
    return True


def _most(listing: Listing, amount: Floats) -> Floats:
    """Say what each hazard uses of an amount on the path that uses most."""
    return walk(Arcs.of(plain(listing)), amount, 1)[1]
