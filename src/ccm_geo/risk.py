"""Expected harm: how many accidents a year each hazard is expected to cause, and how sure that is.

This is the quantity that plans are made with. It adds up over hazards and years, unlike a score.
"""

import math
from collections.abc import Iterable
from dataclasses import replace
from itertools import pairwise
from typing import Any, NamedTuple

import geopandas as gpd
import numpy as np
import numpy.typing as npt
import pandas as pd
import shapely
from scipy.special import betaincinv, digamma, polygamma

from . import space
from ._accident_rate import country_rate
from .assumptions import COMPLETENESS, FIRST_YEAR_SHARE, HARM, Assumption, HarmNumbers
from .errors import DataError
from .schemas import Note

Array = npt.NDArray[np.float64]

_ROUNDING = 1e-6  # a sum of people over a raster may end this far below 0
_Z80 = 1.2815515655446004  # the standard normal's 90 % point: 10 % above, 10 % below


class _Seen(NamedTuple):
    """What the accident table tells about each hazard."""

    shared: (
        Array  # accidents by hazard, each accident split evenly over the hazards within reach; NaN unknown
    )
    years: float
    notes: tuple[Note, ...]

    @property
    def absent(self) -> bool:
        return bool(np.isnan(self.shared).all())


class _Draw(NamedTuple):
    """An uncertain positive factor by its mean and the first two moments of its logarithm."""

    mean: Any
    log_mean: Any
    log_var: Any


def p_contaminated(
    facts: pd.DataFrame,
    *,
    accidents: gpd.GeoDataFrame | None = None,
    within_m: float = 1_000,
    numbers: HarmNumbers = HARM,
) -> pd.DataFrame:
    """Give the chance that each hazard really holds explosive ordnance.

    Parameters
    ----------
    facts
        Hazards with ``hazard_class`` (SHA or CHA) and, where known, ``evidence`` and ``accidents_near``.
    accidents
        Accident points; where given, they are used instead of ``accidents_near``.
    within_m
        Reach of `accidents`, metres; the same as that of ``accidents_near``.
    numbers
        The beliefs by class and evidence.

    Returns
    -------
    pandas.DataFrame
        ``p_contaminated`` (mean, 0..1), ``p_low``, ``p_high`` (80 % interval), ``found``, ``empty``
        (parameters of the Beta distribution), on the index of `facts`.

    Raises
    ------
    DataError
        If ``hazard_class`` is absent, or a class has no belief.

    Notes
    -----
    ``p ~ Beta(found + finds_per_accident * a, empty)`` with *a* the accidents within reach, each split evenly
    over the hazards it is near. No accident is no evidence of safety: it changes nothing.

    Examples
    --------
    >>> facts = pd.DataFrame({"hazard_class": ["SHA", "CHA", "SHA"], "accidents_near": [0, 0, 2]})
    >>> p_contaminated(facts)["p_contaminated"].round(3).tolist()  # 1/20, 9/10, (1 + 2*2)/(20 + 2*2)
    [0.05, 0.9, 0.208]
    """
    shared, notes = _shared(facts, accidents, within_m)
    found, empty = _beta(facts, shared, numbers)
    table = pd.DataFrame(index=facts.index)
    table["p_contaminated"] = found / (found + empty)
    table["p_low"], table["p_high"] = betaincinv(found, empty, 0.1), betaincinv(found, empty, 0.9)
    table["found"], table["empty"] = found, empty
    table.attrs["notes"] = notes
    return table


def expected_harm(
    facts: pd.DataFrame,
    *,
    years: Iterable[int],
    accidents: gpd.GeoDataFrame | None = None,
    within_m: float = 1_000,
    observed_years: float | None = None,
    completeness: float = COMPLETENESS.value,
    first_year_share: float = FIRST_YEAR_SHARE.value,
    numbers: HarmNumbers = HARM,
) -> pd.DataFrame:
    """Give the accidents expected near each hazard in each year if nothing is done, with an interval.

    Without accidents the result is relative: it ranks and weighs hazards, and says nothing about how many
    accidents there will be (``relative`` is True, a note says so).

    Parameters
    ----------
    facts
        Hazards with ``hazard_id``, ``hazard_class`` and ``people_near``; used where there: ``people_inside``,
        ``arrivals`` (people expected in the first of `years`), ``evidence``, ``accidents_near``, geometry.
    years
        Calendar years to look at; the first is the coming 12 months.
    accidents
        Accident points, best given: each accident is then counted once for the country however many hazards
        it is near, and the years of observation follow from its dates.
    within_m
        Reach of `accidents`, metres; the same as that of the measures.
    observed_years
        Years over which the accidents were recorded; from the dates of `accidents`, or else assumed, where
        not given.
    completeness
        Share of accidents that reach the table, above 0 up to 1. Zero reports are not safety.
    first_year_share
        Share of all expected arrivals that comes in the first 12 months, above 0 up to 1.
    numbers
        Every other number, with its source; see `HarmNumbers`.

    Returns
    -------
    pandas.DataFrame
        One row per hazard and year, in the order of `facts`: ``hazard_id``, ``year``, ``people`` (residents
        and all who have arrived by then), ``p_contaminated``, ``harm`` (accidents a year, the mean),
        ``harm_low``, ``harm_high`` (80 % interval), ``relative``. NaN where the people are unknown and no
        accident is recorded.
        ``attrs["unit"]`` is ``"accidents a year"`` or ``"relative"``; ``attrs["notes"]`` lists what was
        assumed.

    Raises
    ------
    DataError
        If a column is absent or holds impossible values, or a number is out of range.

    Notes
    -----
    For hazard *i* and year *t* = 0, 1, ... ::

        harm   = p_i * rate_i / completeness * contact_it
        contact_it = passers + near_i + contact_inside * inside_i + settled_it + contact_newcomer * new_it
        new_it = arrivals_i * (1 - first_year_share) ** t,  settled_it = new_i0 + ... + new_i,t-1

    ``near`` are the people within reach and not inside. Who has come stays and counts as a resident from the
    next year on; without ``people_inside`` all people count as near.

    ``passers`` are those who pass (to farm, graze, hunt, cut wood) as so many residents, one figure for the
    country: areas where nobody lives are not empty. They are not in ``people``.

    The rate is reported accidents per person (weighed by contact), contaminated area and year. Accidents
    follow a Poisson law, rates differ between hazards by a Gamma law around the country's::

        exposure_i = p_i * (passers + contact of residents_i) * observed_years
        rate_i     = (s + y_i) / (s / country + exposure_i),   s = 1 / spread**2

    ``country`` and ``passers`` have the greatest likelihood (negative binomial), with a prior of
    ``prior_accidents`` at ``prior_rate`` for residents and of half an accident (Jeffreys) for those who pass.
    So the rates bring forth the country's accidents: ``sum(rate * exposure)`` is ``sum y +
    prior_accidents * (1 - country / prior_rate)`` and up to half an accident. With both numbers held, harm
    rises with people and with accidents, from the first resident on without a step; one more moves both
    little (harm never fell by more than 0.5 %, in countries of a few hazards). Without any accident
    nothing tells who passes, and ``passers`` is 0.

    On accidents that the estimate had not seen (Bosnia and Herzegovina, half of them drawn at random;
    Colombia, the ten years after) areas without counted residents had about as many as others, and this law
    foretold them better than one of residents alone; one law for each source of accidents did no better.

    ``y_i`` are the accidents within reach, each split evenly over the hazards that it is near, so that
    ``sum y`` is the number of different accidents.
    From a mere count ``accidents_near``, hazards close by are used as stand-in: it is divided by the number
    of hazards within reach of a point inside the hazard. ``prior_rate`` is ``casualty_rate /
    casualties_per_accident``, which holds for people near recorded hazards of any class, over the mean
    ``p_i`` of this table weighed by people. With ``y = 0`` the rate stays above zero.

    Where the people near are unknown, hazards are left out of the estimate; their harm is what the record
    says, ``y_i / observed_years / completeness``, and NaN without accidents.

    The mean is exact for independent factors. The interval matches mean and variance of the logarithm of
    their product (Beta, Gamma, lognormal 1 / completeness); drawn at random, 77 to 83 % of the values fell
    inside. The uncertainty of completeness is common to all hazards: intervals must not be added up.

    Most defaults are placeholders, and the notes list them: `COMPLETENESS`, `FIRST_YEAR_SHARE`, `HARM`.

    Examples
    --------
    Nobody is counted near C and D, but people pass: one accident tells it of C.

    >>> facts = pd.DataFrame({"hazard_id": ["A", "B", "C", "D"], "hazard_class": ["CHA", "SHA", "SHA", "SHA"],
    ...     "people_near": [1_000, 1_000, 0, 0], "accidents_near": [3, 0, 1, 0]})
    >>> harm = expected_harm(facts, years=[2027], observed_years=10, completeness=0.5)
    >>> harm[["hazard_id", "year", "people", "harm", "relative"]].round(3)
      hazard_id  year  people   harm  relative
    0         A  2027  1000.0  0.671     False
    1         B  2027  1000.0  0.043     False
    2         C  2027     0.0  0.119     False
    3         D  2027     0.0  0.027     False
    """
    span = _span(years)
    _check(facts, completeness, first_year_share, observed_years)
    seen = _seen(facts, accidents, within_m, observed_years, numbers)
    there = _people(facts, span, first_year_share, numbers)
    found, empty = _beta(facts, seen.shared, numbers)
    chance = _Draw(
        found / (found + empty),
        digamma(found) - digamma(found + empty),
        polygamma(1, found) - polygamma(1, found + empty),
    )
    rate, passers = _rate(there.residents, chance.mean, seen, numbers)
    unseen = _unreported(completeness, seen, numbers)
    uncounted = np.isnan(there.residents) & (passers > 0)
    met = np.where(uncounted[:, None], 0, there.met) + passers[:, None]
    middle = np.exp(chance.log_mean + rate.log_mean + unseen.log_mean)[:, None] * met
    width = np.exp(_Z80 * np.sqrt(chance.log_var + rate.log_var + unseen.log_var))[:, None]
    table = pd.DataFrame(
        {
            "hazard_id": np.repeat(facts["hazard_id"].to_numpy(), len(span)),
            "year": np.tile(np.array(span, dtype=np.int64), len(facts)),
            "people": there.people.ravel(),
            "p_contaminated": np.repeat(chance.mean, len(span)),
            "harm": ((chance.mean * rate.mean * unseen.mean)[:, None] * met).ravel(),
            "harm_low": (middle / width).ravel(),
            "harm_high": (middle * width).ravel(),
            "relative": seen.absent,
        }
    )
    more = _passing(there.residents, passers, seen)
    given = _given(completeness, first_year_share, seen, there)
    table.attrs["unit"] = "relative" if seen.absent else "accidents a year"
    table.attrs["notes"] = (*seen.notes, *there.notes, *more, *given, *_placeholders(facts, seen, numbers))
    return table


def _span(years: Iterable[int]) -> list[int]:
    span = list(years)
    whole = all(isinstance(year, (int, np.integer)) and not isinstance(year, bool) for year in span)
    if not span or not whole or any(b <= a for a, b in pairwise(span)):
        raise DataError(f"years: {span}; give one calendar year or several that rise, like range(2027, 2032)")
    return [int(year) for year in span]


def _check(facts: pd.DataFrame, completeness: float, first_year_share: float, observed: float | None) -> None:
    absent = [name for name in ("hazard_id", "hazard_class", "people_near") if name not in facts]
    faults = [f"no column {name}{_CURES.get(name, '')}" for name in absent]
    shares = {"completeness": completeness, "first_year_share": first_year_share}
    faults += [f"{name}: {v}; give a share above 0 up to 1" for name, v in shares.items() if not 0 < v <= 1]
    if observed is not None and not 0 < observed < math.inf:
        faults.append(f"observed_years: {observed}; give a number of years above 0")
    for column in ("people_near", "people_inside", "arrivals", "accidents_near"):
        if column in facts:
            values = pd.to_numeric(facts[column], errors="coerce").to_numpy(dtype=float, na_value=np.nan)
            bad = (
                (values < -_ROUNDING)
                | np.isinf(values)
                | (np.isnan(values) & facts[column].notna().to_numpy())
            )
            rows = np.flatnonzero(bad)
            faults += [f"row {i + 1}, {column} {facts[column].iloc[i]}: give a number from 0" for i in rows]
    if faults:
        raise DataError("expected harm: the input cannot be used as it stands", faults)


_CURES = {"people_near": "; make it with people_near(hazards, people), and leave unknown cells empty"}


def _column(facts: pd.DataFrame, name: str) -> Array:
    if name not in facts:
        return np.full(len(facts), np.nan)
    return np.maximum(pd.to_numeric(facts[name]).to_numpy(dtype=float, na_value=np.nan), 0.0)


def _seen(
    facts: pd.DataFrame,
    accidents: gpd.GeoDataFrame | None,
    within_m: float,
    observed_years: float | None,
    numbers: HarmNumbers,
) -> _Seen:
    shared, notes = _shared(facts, accidents, within_m)
    if np.isnan(shared).all():
        text = (
            "No accidents are known: harm is relative, it ranks hazards and says nothing about how many "
            "accidents there will be; give accidents= or the column accidents_near"
        )
        return _Seen(shared, math.nan, (*notes, Note("harm", "unknown", text, len(facts))))
    years = observed_years or (_dated(accidents) if accidents is not None else None)
    if observed_years is None:
        origin = "taken from the accidents' dates" if years else "assumed, as no dates are at hand"
        years = years or numbers.observed_years.value
        text = f"The accidents were recorded over {years:.3g} years, {origin}: give observed_years="
        notes = (*notes, Note("harm", "assumed", text))
    return _Seen(shared, float(years or math.nan), notes)


def _shared(
    facts: pd.DataFrame, accidents: gpd.GeoDataFrame | None, within_m: float
) -> tuple[Array, tuple[Note, ...]]:
    """Give the accidents of each hazard, those near several shared out; NaN where unknown."""
    return _counted(facts, within_m) if accidents is None else _split(facts, accidents, within_m)


def _split(
    facts: pd.DataFrame, accidents: gpd.GeoDataFrame, within_m: float
) -> tuple[Array, tuple[Note, ...]]:
    """Count accidents within reach, each split evenly over the hazards that it is near."""
    if not isinstance(facts, gpd.GeoDataFrame):
        raise DataError(
            "facts: accidents= needs the hazards' geometry; give a GeoDataFrame, or accidents_near"
        )
    crs = space.study_crs(facts)
    here = space.lonlat_bounds(facts.total_bounds, space.require_crs(facts, "hazards"))
    there = space.lonlat_bounds(accidents.total_bounds, space.require_crs(accidents, "accidents"))
    space.require_overlap(here, there, ("hazards", "accidents"))
    tree = shapely.STRtree(space.project(facts, crs).to_numpy())
    points = space.project(accidents, crs).to_numpy()
    who, where = tree.query(points, predicate="dwithin", distance=within_m)
    share = 1 / np.bincount(who, minlength=len(points))[who]
    placed = ~(shapely.is_missing(points) | shapely.is_empty(points))
    if len(points) and not placed.any():
        text = "No accident has a place, so none can be told near any hazard"
        return np.full(len(facts), np.nan), (Note("accidents", "unknown", text, len(points)),)
    far = int(placed.sum()) - len(np.unique(who))
    notes: tuple[Note, ...] = ()
    if far:
        text = (
            f"{far} of {placed.sum()} accidents lie within {within_m:g} m of no hazard and are not in the "
            "harm: there may be areas that are not on the map"
        )
        notes = (Note("accidents", "advice", text, far),)
    notes += _stacked(facts, space.stacked_spots(points)[who], where)
    return np.bincount(where, weights=share, minlength=len(facts)).astype(float), notes


def _stacked(
    facts: pd.DataFrame, spots: npt.NDArray[np.intp], where: npt.NDArray[np.intp]
) -> tuple[Note, ...]:
    """Name the hazards whose harm rests on accidents that share a spot, as at the seat of a municipality."""
    near = np.unique(where[spots > 0])
    if not len(near):
        return ()
    text = (
        f"{space.STACKED} or more accidents near hazards share one position "
        f"({len(np.unique(spots[spots > 0])):,} such positions): it may be the seat of a municipality and "
        f"not the place, and harm rests on it at {_named(facts, near)}"
    )
    return (Note("accidents", "advice", text, len(near), tuple(str(i + 1) for i in near)),)


def _counted(facts: pd.DataFrame, within_m: float) -> tuple[Array, tuple[Note, ...]]:
    """Read accidents_near and share it out, as the accidents themselves are not at hand."""
    counts = _column(facts, "accidents_near")
    some = np.flatnonzero(counts > 0)
    if not len(some):
        return counts, ()
    cure = "give accidents= to count each accident once"
    if not isinstance(facts, gpd.GeoDataFrame) or facts.crs is None:
        text = f"An accident near several hazards counts for each of them: {cure}"
        return counts, (Note("harm", "assumed", text, len(some)),)
    shapes = space.project(facts, space.study_crs(facts)).to_numpy()
    inside = shapely.point_on_surface(shapes[some])
    who, _ = shapely.STRtree(shapes).query(inside, predicate="dwithin", distance=within_m)
    counts = counts.copy()
    counts[some] /= np.maximum(np.bincount(who, minlength=len(some)), 1)
    text = f"Accidents near several hazards are shared out by the hazards close by, an estimate: {cure}"
    return counts, (Note("harm", "assumed", text, len(some)),)


def _dated(accidents: gpd.GeoDataFrame) -> float | None:
    """Estimate the years of observation: n dates spread evenly span (n - 1) / (n + 1) of them."""
    if "date" not in accidents:
        return None
    dates = pd.to_datetime(accidents["date"], errors="coerce").dropna()
    if len(dates) < 2:
        return None
    span = (dates.max() - dates.min()).days / 365.25
    return max(1.0, float(span * (len(dates) + 1) / (len(dates) - 1)))


def _beta(facts: pd.DataFrame, shared: Array, numbers: HarmNumbers) -> tuple[Array, Array]:
    """Give both parameters of every hazard's Beta distribution."""
    if "hazard_class" not in facts:
        raise DataError(
            "facts: there is no column hazard_class; name it with rename= when reading the hazards"
        )
    known = {(b.hazard_class, b.evidence): b for b in numbers.beliefs}
    pairs = _kinds(facts)
    odd = [i for i, pair in enumerate(pairs) if pair not in known]
    if odd:
        listed = ", ".join(f"{kind} {how or '(blank)'}" for kind, how in known)
        rows = [f"row {i + 1}, {pairs[i][0]} {pairs[i][1]}: there are beliefs for {listed}" for i in odd]
        raise DataError(f"facts: {len(odd)} hazards have a class and evidence without a belief", rows)
    found = np.array([known[pair].found for pair in pairs], dtype=float)
    empty = np.array([known[pair].empty for pair in pairs], dtype=float)
    return found + numbers.finds_per_accident.value * np.nan_to_num(shared), empty


def _kinds(facts: pd.DataFrame) -> list[tuple[str, str]]:
    """Give class and evidence of every hazard; evidence is "" where it is not recorded."""
    evidence = facts["evidence"].fillna("") if "evidence" in facts else [""] * len(facts)
    return list(zip(facts["hazard_class"], evidence, strict=True))


class _People(NamedTuple):
    """Who is there, shape (hazards,) or (hazards, years)."""

    residents: Array  # weighed by contact
    people: Array  # heads: residents and who has arrived by then
    met: Array  # weighed by contact
    arriving: bool
    notes: tuple[Note, ...]


def _people(facts: pd.DataFrame, span: list[int], first_year_share: float, numbers: HarmNumbers) -> _People:
    inside = np.nan_to_num(_column(facts, "people_inside"))
    near = np.maximum(_column(facts, "people_near") - inside, 0)
    residents = near + numbers.contact_inside.value * inside
    arrivals = np.nan_to_num(_column(facts, "arrivals"))[:, None]
    left = (1 - first_year_share) ** (np.array(span) - span[0])
    new = arrivals * left
    come = arrivals / first_year_share * (1 - left * (1 - first_year_share))  # the geometric series up to t
    met = residents[:, None] + (come - new) + numbers.contact_newcomer.value * new
    people = (near + inside)[:, None] + come
    return _People(residents, people, met, bool(arrivals.any()), _people_notes(facts, residents))


def _people_notes(facts: pd.DataFrame, residents: Array) -> tuple[Note, ...]:
    notes = []
    blank = np.flatnonzero(np.isnan(residents))
    if len(blank):
        text = (
            f"The people near are not known ({_named(facts, blank)}): no harm is given but what recorded "
            "accidents show"
        )
        notes.append(Note("harm", "unknown", text, len(blank), tuple(str(i + 1) for i in blank)))
    without = np.flatnonzero(np.isnan(_column(facts, "arrivals")))
    if len(without):
        text = "Arrivals are not known: harm counts residents only, so it is too low where people come home"
        rows = () if "arrivals" not in facts else tuple(str(i + 1) for i in without)
        notes.append(Note("harm", "unknown", text, len(without), rows))
    return tuple(notes)


def _named(facts: pd.DataFrame, rows: npt.NDArray[np.intp]) -> str:
    """Name the first five hazards, by row where they have no id."""
    ids = facts["hazard_id"] if "hazard_id" in facts else pd.Series(np.arange(1, len(facts) + 1))
    return ", ".join(str(ids.iloc[i]) for i in rows[:5]) + (", ..." if len(rows) > 5 else "")


def _rate(residents: Array, chance: Array, seen: _Seen, numbers: HarmNumbers) -> tuple[_Draw, Array]:
    """Give the reported accidents per person, contaminated area and year, and who passes, as residents."""
    shape = 1 / numbers.spread.value**2
    if seen.absent:
        one = np.ones(len(residents))
        draw = _Draw(one, one * (digamma(shape) - math.log(shape)), one * polygamma(1, shape))
        return draw, np.zeros(len(residents))
    counted = np.isfinite(residents)
    known = counted & np.isfinite(seen.shared)
    areas, accidents = chance * seen.years, np.nan_to_num(seen.shared)
    country = country_rate(
        residents[known],
        areas[known],
        accidents[known],
        shape=shape,
        prior_rate=_prior(residents, chance, numbers),
        weight=numbers.prior_accidents.value,
    )
    # where people are unknown, as many are put there as bring forth the record
    people = np.where(counted, residents + country.passers, accidents / (areas * country.resident))
    expected = np.where(known, areas * people * country.resident, np.where(counted, 0, accidents))
    hazards = shape + accidents
    shrunk = np.where(counted, shape / (shape + expected), 0)  # the weight of the country's rate
    unsure = shrunk**2 * polygamma(1, 1 / country.log_var(np.nan_to_num(residents)))
    rate = country.resident * hazards / (shape + expected)
    log_mean = np.log(rate) + digamma(hazards) - np.log(hazards) - unsure / 2
    passers = np.where(counted, country.passers, people)
    return _Draw(rate, log_mean, polygamma(1, hazards) + unsure), passers


def _passing(residents: Array, passers: Array, seen: _Seen) -> tuple[Note, ...]:
    """Tell what harm owes to people who pass, and where accidents are recorded but nobody is counted."""
    if seen.absent:
        return ()
    empty = np.flatnonzero(residents == 0)
    counted = passers[np.isfinite(residents)]
    notes = []
    if counted.any():
        spoken = f"{counted[0]:,.0f}" if counted[0] >= 10 else f"{counted[0]:.2g}"
        text = (
            f"People pass where few live: at each hazard they weigh as {spoken} residents, estimated from "
            "the accidents and the same everywhere; harm where nobody is counted within reach rests on it "
            "alone"
        )
        notes.append(Note("harm", "assumed", text, len(empty), tuple(str(i + 1) for i in empty)))
    elif len(empty):
        text = (
            "No accident is recorded near any hazard whose people are known, so nothing tells how many "
            "people pass where nobody lives: harm is 0 there, and that does not make it safe"
        )
        notes.append(Note("harm", "unknown", text, len(empty), tuple(str(i + 1) for i in empty)))
    where = np.flatnonzero(~(residents > 0) & (seen.shared > 0))
    if len(where):
        text = (
            "Accidents are recorded where no resident is counted within reach: people come from farther "
            "away, or the population layer misses them; where the people are unknown harm is the accidents "
            "a year that were recorded, elsewhere the record drawn towards the country's rate"
        )
        notes.append(Note("harm", "assumed", text, len(where), tuple(str(i + 1) for i in where)))
    return tuple(notes)


def _prior(residents: Array, chance: Array, numbers: HarmNumbers) -> float:
    """Turn casualties near any recorded hazard into accidents near a contaminated one, a person and year."""
    lived = np.nan_to_num(residents)
    mixed = float(chance @ lived / lived.sum()) if lived.any() else 1.0
    return numbers.casualty_rate.value / numbers.casualties_per_accident.value / mixed


def _unreported(completeness: float, seen: _Seen, numbers: HarmNumbers) -> _Draw:
    """Give true accidents per reported one, lognormal with mean 1 / completeness."""
    if seen.absent:
        return _Draw(1.0, 0.0, 0.0)
    spread = 0.0 if completeness == 1 else numbers.completeness_spread.value
    log_var = math.log1p(spread**2)
    return _Draw(1 / completeness, -math.log(completeness) - log_var / 2, log_var)


def _given(completeness: float, first_year_share: float, seen: _Seen, there: _People) -> tuple[Note, ...]:
    """Say which share of accidents is taken to be reported, and how fast people are taken to come."""
    rows = []
    if not seen.absent:
        rows.append(("completeness", completeness, COMPLETENESS))
    if there.arriving:
        rows.append(("first_year_share", first_year_share, FIRST_YEAR_SHARE))
    return tuple(
        Note("harm", "assumed", f"{name} is {value:.3g}: {_whence(value, default)}")
        for name, value, default in rows
    )


def _whence(value: float, default: Assumption) -> str:
    return default.source if value == default.value else "set in this study"


def _placeholders(facts: pd.DataFrame, seen: _Seen, numbers: HarmNumbers) -> tuple[Note, ...]:
    """Name the placeholders that this result rests on."""
    idle = {"observed_years"}  # has a note of its own
    if seen.absent:
        idle |= {"casualty_rate", "casualties_per_accident", "completeness_spread", "finds_per_accident"}
    if "people_inside" not in facts:
        idle.add("contact_inside")
    if "arrivals" not in facts:
        idle.add("contact_newcomer")
    present = set(_kinds(facts))
    beliefs = tuple(b for b in numbers.beliefs if (b.hazard_class, b.evidence) in present)
    table = replace(numbers, beliefs=beliefs).table()
    used = table[table["placeholder"] & ~table.index.isin(idle)]
    if used.empty:
        return ()
    listed = "; ".join(f"{name} {value:.3g}" for name, value in used["value"].items())
    text = f"Harm rests on placeholders that the national authority must replace: {listed}"
    return (Note("harm", "assumed", text),)
