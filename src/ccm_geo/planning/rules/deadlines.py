"""What must be ended, and by when: tasks under way, and the treaty's deadline."""

import math
from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass

import numpy as np
import pandas as pd
from scipy import sparse

from ccm_geo.errors import DataError, PlanError
from ccm_geo.planning.engine.arcs import Arcs
from ccm_geo.planning.engine.prices import plain, walk
from ccm_geo.planning.listing import Floats, Listing, Mask, Where, matching
from ccm_geo.planning.model import Compiled, Family, Marks
from ccm_geo.schemas import Note

from ._given import is_amount, is_share, require_where, require_year
from .limits import Rule, rows_where
from .promises import ByName, named_hazards, with_ids
from .shares import LAND_RELEASED, amounts_of, closes, closing_steps

_ROUNDING = 1e-9  # of a goal that is all there is: sums in another order differ by less


@dataclass(frozen=True)
class Finish(ByName):
    """These hazards are brought to their last state: tasks under way that must be ended.

    Parameters
    ----------
    hazards
        One hazard id or several. In a table of options without ``hazard_id``: option ids.
    by
        Last year in which that may happen; by default any year of the options.
    name
        What to call it.

    Notes
    -----
    Steps may be skipped; only the state at the end counts. `LockIn` asks for some work, this for all.

    Examples
    --------
    >>> Finish(["HA-7", "HA-8"], by=2028).title
    'Finish HA-7, HA-8 by 2028'
    """

    _: KW_ONLY
    by: int | None = None
    name: str = ""

    @property
    def title(self) -> str:
        """Its name in messages and tables."""
        return self.name or f"Finish {self.who}{'' if self.by is None else f' by {self.by}'}"

    def __post_init__(self) -> None:
        """Refuse what is no year."""
        super().__post_init__()
        require_year(self.by, "Finish", "by")

    def fitted(self, listing: Listing, rules: tuple[Rule, ...]) -> tuple["Finish", list[Note]]:  # noqa: ARG002 - as in Rule
        """Refuse a last year where options have none."""
        if self.by is not None and "year" not in listing.frame:
            raise DataError(
                f"{self.title}: by= is a year but the options have no column 'year'; leave by= out"
            )
        return self, []

    def compiled(self, listing: Listing, number: int) -> Compiled:
        """One mark, set by last steps in time, that the paths of these hazards must end with."""
        at = named_hazards(listing, self.hazards, self.title)
        must = np.zeros(len(listing.hazard_ids), bool)
        must[at] = True
        ends = closing_steps(listing) & must[listing.hazard]
        if self.by is not None:
            ends &= listing.year <= self.by
        never = must.copy()
        never[listing.hazard[ends]] = False
        if never.any():
            when = "" if self.by is None else f" by {self.by}"
            first = listing.hazard_ids[int(never.argmax())]
            raise PlanError(
                f"{self.title}: {int(never.sum())} of the hazards have no step to their last state{when}, "
                f"first {first!r}",
                conflict=[self.title],
                cures=["a later by=", "more years of options", f"leave {first!r} out"],
            )
        return Compiled(marks=(Marks(rule=number, sets=ends, asks=np.zeros(len(ends), bool), must=must),))

    def faults(self, chosen: pd.DataFrame, options: pd.DataFrame) -> list[str]:
        """Look for the last step of each hazard."""
        rows = with_ids(chosen)
        rows = rows[rows["hazard_id"].isin(list(self.hazards))]
        ended = rows[closes(rows, with_ids(options))]
        if self.by is not None and "year" in ended:
            ended = ended[ended["year"] <= self.by]
        there = set(ended["hazard_id"])
        return [
            f"{self.title}: {h!r} is not brought to its last state" for h in self.hazards if h not in there
        ]

    def kept(self, chosen: pd.DataFrame, options: pd.DataFrame) -> str:
        """Say when tasks under way are ended."""
        rows = with_ids(chosen)
        rows = rows[rows["hazard_id"].isin(list(self.hazards))]
        ended = rows[closes(rows, with_ids(options))]
        last = f", the last work in {int(ended['year'].max())}" if "year" in ended else ""
        return f"{'all ' if len(self.hazards) > 1 else ''}brought to the last state{last}"


@dataclass(frozen=True)
class Deadline(Rule):
    """So much is released by the end of a year: the treaty's Article 4, or a milestone on the way.

    Parameters
    ----------
    year
        Calendar year at whose end it counts.
    share
        Share from 0 to 1 of all that the options are about, today: their area, or their hazards.
    least
        In place of `share`: that many square metres, or hazards, at least.
    of
        ``"area"``: land cancelled, reduced and cleared; ``"hazards"``: those brought to their last state.
    where
        Only options of hazards with these values count, for example ``{"adm1": "P01"}``.
    name
        What to call it, for example the extension request.

    Notes
    -----
    Hazards without options (closed, without area or without expected harm) count on neither side; work counts
    in the year of its option.

    Examples
    --------
    >>> Deadline(2030, share=0.8).title
    'Deadline 2030'
    """

    year: int
    _: KW_ONLY
    share: float = 1.0
    least: float | None = None
    of: str = "area"
    where: Where | None = None
    name: str = ""

    def __post_init__(self) -> None:
        """Refuse what cannot be meant."""
        if self.of not in ("area", "hazards"):
            raise DataError(f"{self.title}: of is 'area' or 'hazards', not {self.of!r}")
        require_year(self.year, "Deadline", "year")
        if self.year is None:
            raise DataError("Deadline: year is the calendar year at whose end it counts, for example 2030")
        require_where(self.where, self.title)
        if not is_share(self.share):
            raise DataError(f"{self.title}: share goes from 0 to 1, not {self.share!r}; least= takes m2")
        if self.least is not None and not is_amount(self.least):
            raise DataError(f"{self.title}: least must be a number of 0 or more, not {self.least!r}")

    @property
    def title(self) -> str:
        """Its name in messages and tables."""
        return self.name or f"Deadline {self.year}"

    @property
    def spoken(self) -> str:
        """Its name with what it asks for."""
        return f"{self.title} ({self._told(self.share if self.least is None else self.least)})"

    def _told(self, goal: float) -> str:
        if self.least is None:
            return f"{100 * goal:.4g} % of {'the area' if self.of == 'area' else 'the hazards'}"
        return f"{goal:,.0f} {'m2' if self.of == 'area' else 'hazards'}"

    def fitted(self, listing: Listing, rules: tuple[Rule, ...]) -> tuple["Deadline", list[Note]]:  # noqa: ARG002 - as in Rule
        """Refuse years without options, and goals beyond what the options can do."""
        if "year" not in listing.frame:
            raise DataError(f"{self.title}: it goes by year but the options have no column 'year'")
        years = listing.years
        if not years[0] <= self.year <= years[-1]:
            cure = "ask for the share to be reached by the last of them, or list options for more years"
            raise DataError(f"{self.title}: options cover {years[0]} to {years[-1]}; {cure}")
        goal, most = self._goal(listing), self._most(listing)
        if goal > most * (1 + _ROUNDING):
            whole = self._whole(listing)
            can = most if self.least is not None else math.floor(1e4 * most / whole) / 1e4
            raise PlanError(
                f"{self.title}: the options cannot release more than {self._told(can)} by {self.year}",
                conflict=[self.spoken],
                cures=[f"{self.title} at {self._told(can)}", "activities that release all", "a later year"],
            )
        return self, []

    def _amounts(self, listing: Listing) -> Floats:
        """Return what each option releases; nothing where it does not count."""
        held = matching(listing.frame, self.where, self.title)
        if self.of == "hazards":
            return (held & closing_steps(listing)).astype(float)
        return np.where(held, amounts_of(listing, "area", self.title), 0.0)

    def _whole(self, listing: Listing) -> float:
        """Add up all there is today: area of the hazards that the options are about, or their number."""
        held = matching(listing.frame, self.where, self.title)
        if self.of == "hazards":
            return float(len(np.unique(listing.hazard[held])))
        today = np.zeros(len(listing.hazard_ids))
        np.maximum.at(today, listing.hazard[held], listing.numbers("area_m2", self.title)[held])
        return float(today.sum())

    def _goal(self, listing: Listing) -> float:
        return self.share * self._whole(listing) if self.least is None else self.least

    def _most(self, listing: Listing) -> float:
        """Return what is released where every hazard takes the path that releases most by then."""
        arcs = Arcs.of(plain(listing))
        counts = np.where(listing.year <= self.year, self._amounts(listing), 0.0)
        return float(walk(arcs, counts, 1)[1].sum())

    def compiled(self, listing: Listing, number: int) -> Compiled:
        """One row: what is released up to the year is at least the goal."""
        amounts = self._amounts(listing)
        goal = self._goal(listing)
        family = Family(
            rule=number,
            labels=(self.title,),
            key=np.where((amounts > 0) & (listing.year <= self.year), 0, -1),
            coef=amounts,
            pattern=sparse.csr_array(np.ones((1, 1))),
            lower=np.array([goal * (1 - _ROUNDING)]),
            upper=np.array([np.inf]),
            column="released_m2" if self.of == "area" else "hazards",
        )
        return Compiled(families=(family,))

    def cure(self, families: Sequence[Family], given: Floats, taken: Mask) -> str:
        """Name the share or amount that can be reached."""
        (family,) = families
        if self.least is not None:
            can = math.floor(family.lower[0] - given[0] + 1e-6)
            return f"{self.title} at {self._told(can)} in place of {self._told(self.least)}"
        reached = float(family.use(taken)[0])
        share = math.floor(1e4 * self.share * reached / family.lower[0]) / 1e4
        return f"{self.title} at {100 * share:.4g} % in place of {100 * self.share:.4g} %"

    def faults(self, chosen: pd.DataFrame, options: pd.DataFrame) -> list[str]:
        """Add up what is released in time, and hold it against all that there is today."""
        rows = rows_where(with_ids(chosen), self.where)
        rows, held = rows[rows["year"] <= self.year], rows_where(with_ids(options), self.where)
        if self.of == "area":
            done = math.fsum(rows[list(LAND_RELEASED)].sum(axis=1))
            whole = math.fsum(held.groupby("hazard_id", observed=True)["area_m2"].max())
        else:
            done = float(closes(rows, with_ids(options)).sum())
            whole = float(held["hazard_id"].nunique())
        goal = self.share * whole if self.least is None else self.least
        short = done < goal - 1e-6 * goal
        return [f"{self.title}: {done:,.0f} of {goal:,.0f} released by {self.year}"] if short else []
