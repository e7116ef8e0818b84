"""Teams that move: the same work done by a visiting team, at a cost, as an option of its own.

A step done by the region's own team and the same step done by a visiting one are two options from which a
path takes one at most. With two limits (own teams by region, all teams together) that states the rule
exactly: what visiting teams do anywhere is at most what teams have left at home, because the sum of all work
is at most the sum of all teams. A visiting team where own ones are idle breaks no limit; it costs more and
brings nothing, so where money is short it is not chosen.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from ccm_geo.errors import DataError
from ccm_geo.planning.listing import Listing
from ccm_geo.schemas import Note, notes_of

from ._given import is_amount
from .limits import Capacity, Rule

OWN, VISITING = "own", "visiting"


def visiting_teams(
    options: pd.DataFrame, *, usd_per_team_month: float, usd_per_visit: float = 0.0, placeholder: bool = False
) -> pd.DataFrame:
    """List every step a second time, done by a team from elsewhere, and dearer by what moving costs.

    Parameters
    ----------
    options
        From `list_options`, or your own table with option_id, cost_usd and team_months.
    usd_per_team_month
        What a team away from home costs more, per month of its work: transport, camp, allowances.
    usd_per_visit
        What each task of a visiting team costs more besides.
    placeholder
        Whether these two numbers are guesses that must be replaced.

    Returns
    -------
    pandas.DataFrame
        The options with a column ``teams`` (``own`` or ``visiting``). Steps with team_months above 0 stand
        there twice, the second time with ``:visiting`` behind their option_id; marking, risk education and
        what needs no team stand there once. Rows of one hazard and year stay together.

    Raises
    ------
    DataError
        If a column is missing, costs are negative, or the table has visiting teams already.

    See Also
    --------
    moving_teams : the two limits that go with it.

    Examples
    --------
    >>> options = pd.DataFrame({"option_id": ["a"], "hazard_id": ["A"], "cost_usd": [100.0],
    ...                         "team_months": [2.0], "benefit": [1.0]})
    >>> visiting_teams(options, usd_per_team_month=30.0)[["option_id", "teams", "cost_usd"]].values.tolist()
    [['a', 'own', 100.0], ['a:visiting', 'visiting', 160.0]]
    """
    _require_teams(options, usd_per_team_month, usd_per_visit)
    away = options[(options["team_months"] > 0) & _steps(options)]
    cost = away["cost_usd"] + usd_per_team_month * away["team_months"] + usd_per_visit
    visiting = away.assign(option_id=away["option_id"].astype("str") + ":visiting", cost_usd=cost.round(2))
    if "hazard_id" not in options:  # without hazards every option is its own; the two must be alternatives
        options, visiting = (
            t.assign(hazard_id=options.loc[t.index, "option_id"]) for t in (options, visiting)
        )
    if placeholder and "placeholder" in options:
        visiting["placeholder"] = True
    count = len(options)
    both = pd.concat([options, visiting], ignore_index=True)
    both["teams"] = pd.Categorical.from_codes(np.repeat([0, 1], [count, len(visiting)]), [OWN, VISITING])
    place = np.concatenate([np.arange(count), np.flatnonzero(options.index.isin(away.index))])
    both = both.iloc[np.argsort(place, kind="stable")].reset_index(drop=True)
    both.attrs = {**options.attrs, "notes": (*notes_of(options), *_guessed(placeholder, len(visiting)))}
    return both


def _steps(options: pd.DataFrame) -> pd.Series:
    """Say which rows lead on; without states all do."""
    if "state_from" not in options:
        return pd.Series(True, index=options.index)
    return options["state_from"].astype("str") != options["state_to"].astype("str")


def _guessed(placeholder: bool, count: int) -> tuple[Note, ...]:  # noqa: FBT001 - passed on
    text = "what a visiting team costs more has no source; replace it with your own"
    return (Note("options", "assumed", text, count),) if placeholder else ()


def _require_teams(options: pd.DataFrame, usd_per_team_month: float, usd_per_visit: float) -> None:
    absent = [c for c in ("option_id", "cost_usd", "team_months") if c not in options]
    if absent:
        raise DataError(f"visiting_teams: options have no column {absent[0]!r}; see list_options")
    if "teams" in options:
        raise DataError(
            "visiting_teams: options have a column 'teams' already; give them as list_options does"
        )
    for name, usd in (("usd_per_team_month", usd_per_team_month), ("usd_per_visit", usd_per_visit)):
        if not is_amount(usd):
            raise DataError(f"visiting_teams: {name} must be a number of 0 or more, not {usd!r}")
    if not options.index.is_unique:
        raise DataError("visiting_teams: rows of options repeat their index; use reset_index(drop=True)")


def moving_teams(
    amount: Mapping[Any, Mapping[int, float] | float],
    *,
    by: str = "adm1",
    season: Mapping[str, float] | float | None = None,
    name: str = "Teams",
) -> tuple[Capacity, Capacity]:
    """Return the two limits that go with `visiting_teams`: own teams by region, and all teams together.

    Parameters
    ----------
    amount
        As for `Capacity`: team-months by region; for each year, or by year. In a year that one region names
        and another does not, all together are those of the first and those who are there in every year.
    by
        Column that names the region in which work is done.
    season
        As for `Capacity`. All together can work what the seasons of their homes add up to: the careful
        reading, for seasons of different regions may fall into the same months.
    name
        What to call the two.

    Examples
    --------
    >>> own, all_together = moving_teams({"P01": 24, "P02": {2027: 12}}, season={"P01": 6, "P02": 12})
    >>> own.where, all_together.amount
    ({'teams': 'own'}, {2027: 24.0})
    >>> moving_teams({"P01": 24, "P02": 12})[1].amount
    36.0
    """
    if not isinstance(amount, Mapping) or not amount:
        cure = "give team-months by region, as {'P01': 24}; teams of no region: Capacity(24, by=None)"
        raise DataError(f"moving_teams: amount is {amount!r}; {cure}")
    own = Capacity(amount, by=by, season=season, where={"teams": OWN}, name=f"{name} at home")
    teams: Mapping[Any, Any] = own.amount  # type: ignore[assignment]
    if isinstance(season, Mapping) and (open_ := [r for r in teams if r not in season]):
        raise DataError(f"moving_teams: season= names no months for {open_[0]!r}; 12 for all year")
    years = sorted({y for given in teams.values() if isinstance(given, Mapping) for y in given})

    def together(year: int | None) -> float:
        given = {r: (a.get(year, 0.0) if isinstance(a, Mapping) else a) for r, a in teams.items()}
        return math.fsum(own.limit(r, a) for r, a in given.items())

    rest, title = (
        together(None),
        f"{name} in all",
    )  # of a year that no region names: those who are there always
    if not years:
        return own, Capacity(rest, by=None, name=title)
    return own, _Together({y: together(y) for y in years}, by=None, name=title, rest=rest)


@dataclass(frozen=True)
class _Together(Capacity):
    """Teams of all regions, of which some are there in every year and others in years that are named."""

    rest: float = 0.0

    def fitted(self, listing: Listing, rules: tuple[Rule, ...]) -> tuple[Capacity, list[Note]]:
        """Give the years that are not named the teams that are always there."""
        named: Mapping[Any, Any] = self.amount  # type: ignore[assignment]
        every = {int(y): self.rest for y in listing.years} if "year" in listing.frame else {}
        return Capacity({**every, **named}, by=None, of=self.of, name=self.name).fitted(listing, rules)
