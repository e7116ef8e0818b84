"""Money that may be cut: scenarios with probabilities, and the usual cuts with their arithmetic shown."""

import calendar
import datetime as dt
import math
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import KW_ONLY, dataclass, replace
from typing import Any

import numpy as np

from ccm_geo.errors import DataError
from ccm_geo.planning.rules.donors import Donors, Grant
from ccm_geo.planning.rules.limits import Budget, Rule, listed

Money = Budget | Donors
_WHOLE = 1e-6  # probabilities may miss 1 by this much


class _Loss(ABC):
    """Money that stays away: a share of it, by year, of one donor or of all."""

    share: float
    donor: str

    def _require_share(self) -> None:
        _require_number(self.share, f"{type(self).__name__}: share", "0.3")
        if not 0 <= self.share <= 1:
            raise DataError(f"{type(self).__name__}: a share goes from 0 to 1, not {self.share!r}")

    @abstractmethod
    def lost(self, year: int) -> float:
        """Share of a year's money that stays away."""

    def of(self, money: Money) -> Money:
        """Return the money that is left.

        Raises
        ------
        DataError
            If the money does not go by year, or no grant bears the donor's name.
        """
        return _less(money, self)


@dataclass(frozen=True)
class BudgetCut(_Loss):
    """A share of the money stays away from a year on, for good or until a year.

    Parameters
    ----------
    share
        Which part of the money, from 0 to 1.
    since, until
        First and last calendar year; None: for good.
    donor
        Name of the grant that is cut, where the money is `Donors`; or of the budget, where there are several.
        Everything else stays.

    Examples
    --------
    >>> BudgetCut(0.3, since=2028).of(Budget({2027: 100.0, 2028: 100.0})).amount
    {2027: 100.0, 2028: 70.0}
    """

    share: float
    _: KW_ONLY
    since: int
    until: int | None = None
    donor: str = ""

    def __post_init__(self) -> None:
        """Refuse shares that are none."""
        self._require_share()
        _require_year(self.since, "BudgetCut: since")
        if self.until is not None:
            _require_year(self.until, "BudgetCut: until")
            if self.until < self.since:
                raise DataError(
                    f"BudgetCut: until {self.until} lies before since {self.since}, so nothing would be cut; "
                    "give the first and the last year in this order"
                )

    def lost(self, year: int) -> float:
        """Share of a year's money that stays away."""
        return self.share if self.since <= year <= (self.until or year) else 0.0


@dataclass(frozen=True)
class Freeze(_Loss):
    """Money stops for some days of one year and then flows again; what was to come in those days is lost.

    Parameters
    ----------
    share
        Part of all the money that is frozen, from 0 to 1; 1 for a grant of its own (`donor`).
    days
        How many days.
    year
        In which calendar year.
    donor
        Name of the grant or budget that is frozen; everything else stays.

    Notes
    -----
    Money is taken to flow evenly: days / 365 of the year's amount is lost.

    References
    ----------
    In January 2025 the largest donor stopped for 90 days (Landmine Monitor 2025, support for mine action).

    Examples
    --------
    >>> Freeze(0.4, days=73, year=2027).of(Budget({2027: 100.0, 2028: 100.0})).amount
    {2027: 92.0, 2028: 100.0}
    """

    share: float
    _: KW_ONLY
    days: int
    year: int
    donor: str = ""

    def __post_init__(self) -> None:
        """Refuse shares that are none and years that are too short."""
        self._require_share()
        _require_year(self.year, "Freeze: year")
        _require_number(self.days, "Freeze: days", "90")
        if not 0 <= self.days <= 365:
            raise DataError(f"Freeze: {self.days} days do not fit into a year; give 0 to 365")

    def lost(self, year: int) -> float:
        """Share of a year's money that stays away."""
        return self.share * self.days / 365 if year == self.year else 0.0


@dataclass(frozen=True)
class DonorLeaves(_Loss):
    """A donor ends its support: it pays until the notice has run out, and never again.

    Parameters
    ----------
    share
        The donor's part of all the money, from 0 to 1; 1 for a grant of its own (`donor`).
    told_on
        The day on which it says so: ``datetime.date`` or text such as ``"2028-01-20"``.
    notice_weeks
        For how many weeks it still pays.
    donor
        Name of the grant or budget that ends; everything else stays.

    Notes
    -----
    Money is taken to flow evenly over the year: of the year in which the notice ends, the days after it are
    lost; of every later year, everything.

    Examples
    --------
    >>> leaves = DonorLeaves(0.5, told_on="2028-01-20", notice_weeks=6)
    >>> leaves.last_day
    datetime.date(2028, 3, 2)
    >>> round(leaves.lost(2028), 4), leaves.lost(2029), leaves.lost(2027)
    (0.4153, 0.5, 0.0)
    """

    share: float
    _: KW_ONLY
    told_on: dt.date | str
    notice_weeks: float
    donor: str = ""

    def __post_init__(self) -> None:
        """Read the day."""
        self._require_share()
        _require_number(self.notice_weeks, "DonorLeaves: notice_weeks", "6")
        if not self.notice_weeks >= 0:
            raise DataError(f"DonorLeaves: notice_weeks is 0 or more, not {self.notice_weeks!r}")
        try:
            day = dt.date.fromisoformat(self.told_on) if isinstance(self.told_on, str) else self.told_on
        except ValueError as wrong:
            raise DataError(
                f"DonorLeaves: told_on {self.told_on!r} is no day; write it like '2028-01-20'"
            ) from wrong
        object.__setattr__(self, "told_on", day)

    @property
    def last_day(self) -> dt.date:
        """The last day that is paid."""
        day: dt.date = self.told_on  # type: ignore[assignment]
        return day + dt.timedelta(days=round(7 * self.notice_weeks))

    def lost(self, year: int) -> float:
        """Share of a year's money that stays away."""
        last = self.last_day
        if year != last.year:
            return self.share if year > last.year else 0.0
        length = 366 if calendar.isleap(year) else 365
        return self.share * (length - last.timetuple().tm_yday) / length


def _require_number(value: Any, what: str, example: str) -> None:
    if isinstance(value, bool) or not isinstance(value, (int, float, np.number)):
        raise DataError(f"{what} must be a number, for example {example}, not {value!r}")


def _require_year(value: Any, what: str) -> None:
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)):
        raise DataError(f"{what} must be a calendar year, for example 2028, not {value!r}")


def _less(money: Money, cut: _Loss) -> Money:
    """Take a cut off a budget, or off one grant of several donors."""
    if isinstance(money, Donors):
        named = [g for g in money.grants if cut.donor in ("", g.name)]
        if not named:
            known = ", ".join(g.name for g in money.grants)
            raise DataError(f"{type(cut).__name__}: no grant is called {cut.donor!r}; known are {known}")
        grants = [
            replace(g, amount=_amounts_less(g.amount, cut, g.name)) if g in named else g for g in money.grants
        ]
        return Donors(*grants, name=money.name)
    if not isinstance(money, Budget):
        raise DataError(f"{type(cut).__name__}: it takes money off a Budget or Donors, not {money!r}")
    if cut.donor not in ("", money.title):
        return money
    return replace(money, amount=_amounts_less(money.amount, cut, money.title))


def _amounts_less(amount: Mapping[int, float] | float, cut: _Loss, whose: str) -> dict[int, float]:
    if not isinstance(amount, Mapping):
        raise DataError(
            f"{type(cut).__name__}: {whose} has one amount for all years; give it by year, {{2027: ...}}"
        )
    return {y: round(a * (1 - cut.lost(y)), 2) for y, a in amount.items()}


@dataclass(frozen=True)
class Funding:
    """What money may come: scenarios, each with its probability and its money.

    Parameters
    ----------
    scenarios
        By name: probability and money, ``{"as promised": (0.6, Budget({2027: 2e6, 2028: 2e6})), ...}``. The
        first one is what is promised. Money is a `Budget` or `Donors`, or several of them; every scenario has
        the same ones, in the same order, with other amounts (0 for what does not come).
    known_from
        First calendar year whose decisions can wait until it is known which scenario has come. Years
        before it are decided now, once for all scenarios; in them a plan spends no more than comes in each.

    Raises
    ------
    DataError
        If probabilities do not add up to 1, or the scenarios name different budgets.

    Examples
    --------
    >>> base = Budget({2027: 100.0, 2028: 100.0})
    >>> cut = BudgetCut(1 / 3, since=2028)
    >>> funding = Funding.around(base, {"a third less": (0.25, cut)}, known_from=2028)
    >>> funding.probabilities
    {'as promised': 0.75, 'a third less': 0.25}
    """

    scenarios: Mapping[str, tuple[float, Any]]
    _: KW_ONLY
    known_from: int

    def __post_init__(self) -> None:
        """Check names, probabilities and budgets; make one budget a list of one."""
        _require_year(self.known_from, "Funding: known_from")
        if not isinstance(self.scenarios, Mapping):
            raise DataError(
                "Funding: give scenarios by name, {name: (probability, Budget(...))}, "
                f"not {self.scenarios!r}"
            )
        if not self.scenarios:
            raise DataError("Funding: give at least one scenario, name: (probability, Budget(...))")
        clean = {}
        for name, given in self.scenarios.items():
            pair = tuple(given) if isinstance(given, Iterable) else ()
            if (
                len(pair) != 2
                or not isinstance(pair[0], (int, float, np.number))
                or not isinstance(pair[1], Iterable | Rule)
            ):
                raise DataError(f"Funding: {name!r} needs (probability, Budget(...)), not {given!r}")
            money = (pair[1],) if isinstance(pair[1], Rule) else tuple(pair[1])
            wrong = [m for m in money if not isinstance(m, (Budget, Donors))]
            if wrong or not money:
                raise DataError(
                    f"Funding: {name!r} needs a Budget or Donors, not {(wrong or ['nothing'])[0]!r}"
                )
            if not 0 < pair[0] <= 1:
                raise DataError(
                    f"Funding: the probability of {name!r} is {pair[0]}; give a number above 0, at most 1"
                )
            clean[str(name)] = (float(pair[0]), money)
        whole = math.fsum(p for p, _ in clean.values())
        if abs(whole - 1) > _WHOLE:
            raise DataError(f"Funding: the probabilities add up to {whole:g}, not to 1")
        _require_same(clean)
        object.__setattr__(self, "scenarios", clean)

    @classmethod
    def around(
        cls,
        money: Money | Iterable[Money],
        cuts: Mapping[str, tuple[float, _Loss | Iterable[_Loss]]],
        *,
        known_from: int,
        promised: str = "as promised",
    ) -> "Funding":
        """Make scenarios from what is promised and what may be cut from it.

        Parameters
        ----------
        money
            What is promised.
        cuts
            By name: probability and the cut, or several cuts that come together. What is left of the
            probability is that of the promise.
        known_from
            First calendar year whose decisions can wait until it is known what comes.
        promised
            What to call the scenario in which everything comes.

        Raises
        ------
        DataError
            If a cut takes nothing off, as its years are not those of the money.
        """
        _require_year(known_from, "Funding: known_from")
        base = _several_of_money(money)
        _require_cuts(cuts)
        named = {c.donor for _, given in cuts.values() for c in _several(given) if c.donor}
        known = {m.title for m in base} | {g.name for m in base if isinstance(m, Donors) for g in m.grants}
        if named - known:
            raise DataError(
                f"Funding: no money is called {min(named - known)!r}; known are {', '.join(sorted(known))}"
            )
        left = 1 - math.fsum(p for p, _ in cuts.values())
        if left < -_WHOLE:
            raise DataError(f"Funding: the cuts' probabilities add up to {1 - left:g}; that is more than 1")
        scenarios: dict[str, Any] = {promised: (left, base)} if left > _WHOLE else {}
        for name, (chance, given) in cuts.items():
            own = base
            for cut in _several(given):
                _require_bite(name, cut, base)
                own = tuple(_cut_one(m, cut) for m in own)
            scenarios[name] = (chance, own)
        return cls(scenarios, known_from=known_from)

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the scenarios."""
        return tuple(self.scenarios)

    @property
    def probabilities(self) -> dict[str, float]:
        """Probability of each scenario, rounded to what was given."""
        return {name: round(p, 12) for name, (p, _) in self.scenarios.items()}

    def money(self, name: str) -> tuple[Money, ...]:
        """Return the budgets of one scenario."""
        found: tuple[Money, ...] = self.scenarios[name][1]
        return found


def _several(given: _Loss | Iterable[_Loss]) -> tuple[_Loss, ...]:
    return (given,) if isinstance(given, _Loss) else tuple(given)


def _several_of_money(money: Any) -> tuple[Money, ...]:
    base = (money,) if isinstance(money, Rule) else tuple(money) if isinstance(money, Iterable) else ()
    if not base or not all(isinstance(m, (Budget, Donors)) for m in base):
        raise DataError(f"Funding: money must be a Budget or Donors, or several of them, not {money!r}")
    return base


def _require_cuts(cuts: Any) -> None:
    """Refuse what is not cuts by name, each with its probability."""
    form = 'give {"a third less": (0.25, BudgetCut(1 / 3, since=2028))}'
    if not isinstance(cuts, Mapping):
        raise DataError(f"Funding: cuts go by name; {form}, not {cuts!r}")
    for name, pair in cuts.items():
        if not isinstance(pair, (tuple, list)) or len(pair) != 2:
            raise DataError(f"Funding: {name!r} needs (probability, cut); {form}, not {pair!r}")
        _require_number(pair[0], f"Funding: the probability of {name!r}", "0.25")
        several = isinstance(pair[1], (tuple, list)) and all(isinstance(c, _Loss) for c in pair[1])
        if not (several or isinstance(pair[1], _Loss)):
            raise DataError(
                f"Funding: {name!r} needs a cut, BudgetCut, Freeze or DonorLeaves, not {pair[1]!r}"
            )


def _require_bite(name: str, cut: _Loss, base: tuple[Money, ...]) -> None:
    """Refuse a cut whose years are not those of the money: the scenario would be the promise itself."""
    years = sorted({y for m in base for y in _years_cut(m, cut.donor)})
    if years and cut.share > 0 and getattr(cut, "days", 1) > 0 and not any(map(cut.lost, years)):
        raise DataError(
            f"Funding: {name!r} takes nothing off: {cut!r} is in none of the years of the money, "
            f"{listed(years)}; give one of them"
        )


def _years_cut(money: Money, donor: str) -> set[int]:
    """Return the years of the money that a cut is about."""
    parts = (
        [g.amount for g in money.grants if donor in ("", g.name, money.title)]
        if isinstance(money, Donors)
        else [money.amount]
        if donor in ("", money.title)
        else []
    )
    return {y for amount in parts if isinstance(amount, Mapping) for y in amount}


def _cut_one(money: Money, cut: _Loss) -> Money:
    """Leave money alone that is not of the donor named."""
    if isinstance(money, Donors) and cut.donor and cut.donor not in {g.name for g in money.grants}:
        return money
    return _less(money, cut)


def _shape(money: Money) -> Any:
    """Say what makes a budget the same one with another amount."""
    if isinstance(money, Donors):
        return ("Donors", money.name, *(_shape_of_grant(g) for g in money.grants))
    years = tuple(money.amount) if isinstance(money.amount, Mapping) else ()
    return ("Budget", money.title, money.of, repr(money.where), money.carry_over, years)


def _shape_of_grant(grant: Grant) -> Any:
    years = tuple(grant.amount) if isinstance(grant.amount, Mapping) else ()
    return (grant.name, repr(grant.where), grant.carry_over, years)


def _require_same(scenarios: Mapping[str, tuple[float, tuple[Money, ...]]]) -> None:
    (first, (_, base)), *others = scenarios.items()
    for name, (_, money) in others:
        if [_shape(m) for m in money] != [_shape(m) for m in base]:
            raise DataError(
                f"Funding: {name!r} names other budgets, purposes or years than {first!r}; name the same "
                "ones everywhere, with 0 for money that does not come"
            )
