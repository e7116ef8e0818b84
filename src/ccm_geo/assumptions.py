"""Numbers from outside, each with its source and how far to trust it; most are placeholders and say so."""

import math
from dataclasses import dataclass, fields
from typing import Any, Literal

import pandas as pd

from .errors import DataError

Confidence = Literal["high", "medium", "low", "none"]

_NONE = "No source found; a placeholder"


@dataclass(frozen=True, kw_only=True)
class Assumption:
    """A number from outside, with where it comes from and how far it can be trusted.

    Parameters
    ----------
    value
        The number.
    unit
        What it counts.
    source
        Who says so, or that nobody does.
    year, country
        Where and when it was seen.
    confidence
        ``high``, ``medium``, ``low`` or ``none``.
    placeholder
        True where the planner must replace it before anybody decides by it.
    """

    value: float
    unit: str
    source: str
    year: int | None = None
    country: str = ""
    confidence: Confidence = "low"
    placeholder: bool = False


@dataclass(frozen=True, kw_only=True)
class Belief:
    """How often areas of one class and evidence prove to be contaminated, as a Beta distribution.

    Parameters
    ----------
    hazard_class
        ``SHA`` or ``CHA``.
    evidence
        ``direct``, ``indirect``, or ``""`` for areas whose evidence is not recorded.
    found, empty
        Both parameters of the Beta distribution: as if this many areas had been found contaminated and empty.
    source, year, country, confidence, placeholder
        As for `Assumption`.
    """

    hazard_class: str
    evidence: str
    found: float
    empty: float
    source: str
    year: int | None = None
    country: str = ""
    confidence: Confidence = "low"
    placeholder: bool = False

    def __post_init__(self) -> None:
        if not (0 < self.found < math.inf and 0 < self.empty < math.inf):
            raise DataError(f"belief on {self.hazard_class}: found and empty must be numbers above 0")


@dataclass(frozen=True, kw_only=True)
class HarmNumbers:
    """The numbers behind expected harm, each with its source; changed with `dataclasses.replace`.

    Parameters
    ----------
    beliefs
        Chance of contamination by class and evidence, before accidents.
    finds_per_accident
        How many finds one accident within reach weighs in the chance of contamination.
    contact_inside
        How often people who live inside meet the hazard, against people who live within reach.
    contact_newcomer
        The same for people in the year in which they arrive, against residents.
    casualty_rate
        Reported casualties per year and person within 1 km of recorded hazards, where nothing else is known.
    casualties_per_accident
        Turns casualties into accidents.
    prior_accidents
        How many accidents of the country's own outweigh `casualty_rate`.
    spread
        Coefficient of variation of the true rate between hazards of one country.
    completeness_spread
        Coefficient of variation of 1 / completeness.
    observed_years
        Years over which accidents were recorded, where the table does not tell.

    Examples
    --------
    >>> from dataclasses import replace
    >>> ours = replace(HARM.contact_inside, value=8, source="Village survey, 2026", placeholder=False)
    >>> replace(HARM, contact_inside=ours).table().loc["contact_inside", "value"]
    np.float64(8.0)
    """

    beliefs: tuple[Belief, ...]
    finds_per_accident: Assumption
    contact_inside: Assumption
    contact_newcomer: Assumption
    casualty_rate: Assumption
    casualties_per_accident: Assumption
    prior_accidents: Assumption
    spread: Assumption
    completeness_spread: Assumption
    observed_years: Assumption

    def __post_init__(self) -> None:
        at_least = {
            "finds_per_accident": 0,
            "completeness_spread": 0,
            "contact_inside": 1,
            "contact_newcomer": 1,
        }
        faults = []
        for name, row in self._named():
            low = at_least.get(name)
            good = math.isfinite(row.value) and (row.value > 0 if low is None else row.value >= low)
            if not good:
                faults.append(
                    f"{name}: {row.value}; give a number {'above 0' if low is None else f'from {low}'}"
                )
        if faults:
            raise DataError("numbers behind harm: some cannot be used", faults)

    def _named(self) -> list[tuple[str, Assumption]]:
        return [(f.name, getattr(self, f.name)) for f in fields(self) if f.name != "beliefs"]

    def table(self) -> pd.DataFrame:
        """List every number with its unit, source, year, country and confidence, for the report."""
        rows = {}
        for b in self.beliefs:
            name = f"chance of contamination, {b.hazard_class} {b.evidence or 'evidence unknown'}"
            unit = f"share of areas (Beta {b.found:g}, {b.empty:g})"
            rows[name] = (b.found / (b.found + b.empty), unit, *_standing(b))
        for name, number in self._named():
            rows[name] = (float(number.value), number.unit, *_standing(number))
        columns = ["value", "unit", "source", "year", "country", "confidence", "placeholder"]
        return pd.DataFrame.from_dict(rows, orient="index", columns=columns).rename_axis("number")


def _standing(row: Assumption | Belief) -> tuple[Any, ...]:
    return row.source, row.year, row.country, row.confidence, row.placeholder


_PRACTITIONER = "One practitioner: under 5 % of SHAs prove to hold mines (Downs, JMU journal 13.2)"

COMPLETENESS = Assumption(
    value=0.42,
    unit="share of accidents that reach the table",
    source="Printed for Afghanistan's surveillance, which covers part of the health facilities (APHA 131, "
    "paper 59220): the only figure found. Elsewhere it may be anything; replace it",
    year=2003,
    country="Afghanistan",
    placeholder=True,
)
"""Default share of accidents that is reported at all."""

FIRST_YEAR_SHARE = Assumption(
    value=438 / 569,
    unit="share of all arrivals that comes in the first 12 months",
    source="Stand-in: 438 of 569 casualties of 1999-2013 fell in 1999-2000 (Landmine Monitor, Kosovo). "
    "Casualties, not people, and two calendar years; replace it with the return plan's figure",
    year=2013,
    country="Kosovo",
    placeholder=True,
)
"""Default share of all returns that falls into the first 12 months."""

HARM = HarmNumbers(
    beliefs=(
        Belief(
            hazard_class="SHA",
            evidence="indirect",
            found=1,
            empty=19,
            source=_PRACTITIONER,
            year=2009,
            placeholder=True,
        ),
        Belief(
            hazard_class="SHA",
            evidence="",
            found=1,
            empty=19,
            source=_PRACTITIONER,
            year=2009,
            placeholder=True,
        ),
        Belief(
            hazard_class="SHA",
            evidence="direct",
            found=2,
            empty=2,
            source=_NONE,
            confidence="none",
            placeholder=True,
        ),
        Belief(
            hazard_class="CHA",
            evidence="indirect",
            found=2,
            empty=2,
            source=_NONE,
            confidence="none",
            placeholder=True,
        ),
        Belief(
            hazard_class="CHA",
            evidence="",
            found=9,
            empty=1,
            source=_NONE,
            confidence="none",
            placeholder=True,
        ),
        Belief(
            hazard_class="CHA",
            evidence="direct",
            found=9,
            empty=1,
            source=_NONE,
            confidence="none",
            placeholder=True,
        ),
    ),
    finds_per_accident=Assumption(value=2, unit="finds", source=_NONE, confidence="none", placeholder=True),
    contact_inside=Assumption(
        value=5,
        unit="times the contact of people within reach",
        source=_NONE,
        confidence="none",
        placeholder=True,
    ),
    contact_newcomer=Assumption(
        value=1,
        unit="times the contact of residents",
        source="Set to 1, no more than a resident; Kosovo's casualties in the years of return speak for more",
        confidence="none",
        placeholder=True,
    ),
    casualty_rate=Assumption(
        value=2.4e-4,
        unit="reported casualties per person within 1 km and year",
        source="About 60 casualties a month among about 3 million people within 1 km (OCHA 2023), computed",
        year=2023,
        country="Afghanistan",
    ),
    casualties_per_accident=Assumption(
        value=1.5, unit="casualties", source=_NONE, confidence="none", placeholder=True
    ),
    prior_accidents=Assumption(
        value=1,
        unit="accidents",
        source="Choice: one accident of the country's own weighs as much as the figure from Afghanistan",
    ),
    spread=Assumption(
        value=1, unit="coefficient of variation", source=_NONE, confidence="none", placeholder=True
    ),
    completeness_spread=Assumption(
        value=0.6,
        unit="coefficient of variation",
        source="Choice: 80 % of the belief lies between 24 % and 100 % reported, around 42 %",
        confidence="none",
    ),
    observed_years=Assumption(value=10, unit="years", source=_NONE, confidence="none", placeholder=True),
)
"""The numbers behind expected harm as shipped. Most are placeholders and say so."""
