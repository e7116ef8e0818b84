"""Scores: 0 to 100 with every part shown, so that a village, a minister and a donor can follow them.

A score is for talking. It does not add up over hazards and is refused as the benefit of a plan; that is
what expected harm is for.
"""

import itertools
import math
from collections.abc import Hashable, Mapping
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import pandas as pd

from ._scales import Array, CategoryScale, LinearScale, LogScale, Scale
from .errors import DataError
from .schemas import Note

__all__ = [
    "DISPLACEMENT",
    "JUDGEMENT",
    "NOT_SCORED",
    "RISK",
    "CategoryScale",
    "Factor",
    "LinearScale",
    "LogScale",
    "Score",
    "explain",
    "score",
]

NOT_SCORED = "not scored"
"""The class of a hazard about which too little is known."""

_EXACT = 9  # decimals at which scores are told apart, so that rounding noise never breaks a tie or a class


@dataclass(frozen=True, kw_only=True)
class Factor:
    """One measure inside a score: where it comes from, how it becomes 0 to 1, how much it weighs and why.

    Parameters
    ----------
    name
        Short name; its part of the score stands in the column ``from_<name>``.
    column
        The column of facts that holds the measure.
    weight
        At least 0. Only the weights' proportions matter; a factor of weight 0 is left out.
    scale
        How the measure becomes 0 to 1. Absolute, not relative to the other hazards of the table, so that
        the score of one hazard does not move when another is added.
    reason
        One sentence for the reader: why this counts.
    source
        Where scale and weight come from, or that they are a judgement.
    label
        What the measure is called in sentences; the column's name where not given.
    required
        Without it the hazard is not scored at all, whatever else is known.
    """

    name: str
    column: str
    weight: float
    scale: Scale
    reason: str
    source: str
    label: str = ""
    required: bool = False

    def __post_init__(self) -> None:
        if not (math.isfinite(self.weight) and self.weight >= 0):
            raise DataError(f"factor {self.name}: the weight is {self.weight}; give a number of at least 0")


JUDGEMENT = (
    "The weights and scales are a starting judgement without a source in the literature; "
    "the national authority must set them"
)


@dataclass(frozen=True, kw_only=True)
class Score:
    """A recipe for a score: its factors, its class breaks and what it means.

    Parameters
    ----------
    name
        Short name, shown on maps.
    factors
        What it is made of; at least one has a weight above 0.
    meaning
        What a high score says, and what it does not.
    breaks
        The scores at which the next class begins, rising, between 0 and 100. Fixed and published: a class
        means the same in every province and every year, which quantiles would not.
    labels
        The classes from low to high, one more than breaks.
    standing
        Who set the weights. It travels as a note to every map and report.

    Raises
    ------
    DataError
        If names repeat, no weight is above 0, or breaks and labels do not fit.

    See Also
    --------
    score : apply it.

    Examples
    --------
    Another weight, by plain `dataclasses.replace`:

    >>> from dataclasses import replace
    >>> people, *others = RISK.factors
    >>> ours = replace(RISK, factors=(replace(people, weight=60), *others), standing="Set by the NMAA, 2026")
    >>> ours.shares["people"]
    0.5

    or for several factors at once, by name:

    >>> RISK.with_weights({"people": 60, "ordnance": 0}, standing="Set by the NMAA, 2026").shares["accidents"]
    0.2272...
    """

    name: str
    factors: tuple[Factor, ...]
    meaning: str
    breaks: tuple[float, ...] = (20.0, 40.0, 60.0, 80.0)
    labels: tuple[str, ...] = ("very low", "low", "medium", "high", "very high")
    standing: str = JUDGEMENT

    def __post_init__(self) -> None:
        names = [factor.name for factor in self.factors]
        edges = [0.0, *self.breaks, 100.0]
        faults = [
            f"factor {n!r} stands there twice" for n in sorted({n for n in names if names.count(n) > 1})
        ]
        if sum(factor.weight for factor in self.factors) <= 0:
            faults.append("no factor has a weight above 0")
        if any(low >= high for low, high in itertools.pairwise(edges)):
            faults.append(f"breaks {self.breaks} do not rise between 0 and 100")
        if len(self.labels) != len(self.breaks) + 1 or len(set(self.labels)) < len(self.labels):
            faults.append(f"{len(self.breaks)} breaks need {len(self.breaks) + 1} different labels")
        if faults:
            raise DataError(f"score {self.name}: cannot be used as it stands", faults)

    @property
    def shares(self) -> dict[str, float]:
        """Share of the whole that each factor's weight makes, by name; they sum to 1."""
        total = math.fsum(factor.weight for factor in self.factors)
        return {factor.name: factor.weight / total for factor in self.factors}

    def with_weights(self, weights: Mapping[str, float], *, standing: str | None = None) -> "Score":
        """Give the same score with other weights for the named factors.

        Parameters
        ----------
        weights
            Factor name to weight, at least 0. Factors not named keep theirs.
        standing
            Who set them; a sentence that lists the weights where not given.

        Raises
        ------
        DataError
            If a name is not among the factors, or a weight is not a number of at least 0.
        """
        known = [factor.name for factor in self.factors]
        strange = [f"{name!r}: the factors are {', '.join(known)}" for name in weights if name not in known]
        if strange:
            raise DataError(f"score {self.name}: weights for factors that it does not have", strange)
        factors = tuple(replace(f, weight=weights.get(f.name, f.weight)) for f in self.factors)
        listed = ", ".join(f"{f.name} {f.weight:g}" for f in factors)
        return replace(self, factors=factors, standing=standing or f"Weights set in this study: {listed}")


def score(facts: pd.DataFrame, definition: Score) -> pd.DataFrame:
    """Score every hazard from 0 to 100 and show what each factor gives.

    A missing input is named and never taken as zero: the score then rests on the factors that are known,
    and ``score_low`` and ``score_high`` say what it would be with the unknown ones at nothing and in full.

    Parameters
    ----------
    facts
        Hazards with their measures, one row each.
    definition
        For example `RISK` or `DISPLACEMENT`.

    Returns
    -------
    pandas.DataFrame
        On the index of `facts`: ``score`` (0..100, NaN where nothing is known or a required factor is not),
        ``score_low`` and ``score_high`` (0..100), ``rank`` (1 is the highest; ties share the better rank; NaN
        where not scored), ``class`` (a class reaches from its break up to, and without, the next),
        ``from_<factor>`` (points; they add up to ``score``; NaN where missing) and ``missing`` (columns,
        ``""`` if none). ``attrs``: ``score``, ``meaning``, ``breaks``, ``labels``, ``notes``.

    Raises
    ------
    DataError
        If a measure is infinite, is text where a number is due, or lies below a log scale's zero.

    Notes
    -----
    With weights :math:`w_f` and values :math:`v_f` in 0..1, over the known factors K of all factors F::

        score      = 100 * sum_K(w v) / sum_K(w)
        score_low  = 100 * sum_K(w v) / sum_F(w)
        score_high = score_low + 100 * sum_missing(w) / sum_F(w)

    so ``score_low <= score <= score_high``, and all three are equal where nothing is missing.

    Examples
    --------
    >>> facts = pd.DataFrame({"hazard_id": ["A", "B"], "people_near": [10_000, None], "hazard_class": "CHA"})
    >>> table = score(facts, RISK)
    >>> table[["score", "score_low", "score_high", "rank", "class"]].round(1)
       score  score_low  score_high  rank      class
    0  100.0       55.0       100.0   1.0  very high
    1  100.0       15.0       100.0   1.0  very high
    >>> table.loc[1, "missing"]
    'people_near; accidents_near; land_use; ordnance'
    """
    factors = [factor for factor in definition.factors if factor.weight > 0]
    values = np.column_stack([_values(facts, factor) for factor in factors])
    weights = np.array([factor.weight for factor in factors]) / math.fsum(f.weight for f in factors)
    known = np.isfinite(values)
    parts = 100 * weights * np.where(known, values, 0.0)
    known_weight = known @ weights
    required = np.array([factor.required for factor in factors])
    scored = (known_weight > 0) & known[:, required].all(axis=1)
    unit = np.where(scored, np.where(known_weight > 0, known_weight, 1.0), np.nan)
    shown = np.where(known, parts / unit[:, None], np.nan)
    total = np.where(scored, np.nansum(shown, axis=1), np.nan)
    low = parts.sum(axis=1)
    table = pd.DataFrame(index=facts.index)
    table["score"] = total
    table["score_low"] = low
    table["score_high"] = np.minimum(low + 100 * (~known @ weights), 100.0)
    table["rank"] = table["score"].round(_EXACT).rank(method="min", ascending=False)
    table["class"] = _classes(total, definition)
    for factor, column in zip(factors, shown.T, strict=True):
        table[f"from_{factor.name}"] = column
    table["missing"] = _missing(known, factors)
    table.attrs = {
        "score": definition.name,
        "meaning": definition.meaning,
        "breaks": definition.breaks,
        "labels": definition.labels,
        "notes": _notes(facts, definition, factors, known, scored),
    }
    return table


def _values(facts: pd.DataFrame, factor: Factor) -> Array:
    if factor.column not in facts:
        return np.full(len(facts), np.nan)
    measure = facts[factor.column]
    if isinstance(measure, pd.DataFrame):
        raise DataError(f"facts: the column {factor.column} stands there twice; keep one")
    return factor.scale.read(measure)


def _classes(total: Array, definition: Score) -> npt.NDArray[np.object_]:
    place = np.searchsorted(definition.breaks, np.round(total, _EXACT), side="right")
    labels = np.array([*definition.labels, NOT_SCORED], dtype=object)
    return labels[np.where(np.isfinite(total), place, len(definition.labels))]


def _missing(known: npt.NDArray[np.bool_], factors: list[Factor]) -> npt.NDArray[np.object_]:
    columns = np.array([factor.column for factor in factors], dtype=object)
    kinds, which = np.unique(known, axis=0, return_inverse=True)
    texts = np.array(["; ".join(columns[~kind]) for kind in kinds], dtype=object)
    return texts[which.reshape(-1)] if len(texts) else np.empty(0, dtype=object)


def _notes(
    facts: pd.DataFrame,
    definition: Score,
    factors: list[Factor],
    known: npt.NDArray[np.bool_],
    scored: npt.NDArray[np.bool_],
) -> tuple[Note, ...]:
    name, count = definition.name, len(facts)
    notes = [Note("scores", "assumed", f"{name}: {definition.standing}", count)]
    for factor, here in zip(factors, known.T, strict=True):
        column, blank = factor.column, int((~here).sum())
        if column not in facts:
            text = f"{name}: there is no column {column}, so the score rests on the other factors"
            notes.append(Note("scores", "unknown", text, count))
        elif blank:
            where = np.flatnonzero(~here)
            text = (
                f"{name}: {column} is not known{_strange(facts[column], factor)}; named in missing, not zero"
            )
            notes.append(Note("scores", "unknown", text, blank, tuple(str(i + 1) for i in where)))
    if not scored.all():
        where = np.flatnonzero(~scored)
        text = f"{name}: too little is known for a score; the class is '{NOT_SCORED}'"
        notes.append(Note("scores", "unknown", text, len(where), tuple(str(i + 1) for i in where)))
    return tuple(notes)


def _strange(measure: pd.Series, factor: Factor) -> str:
    if not isinstance(factor.scale, CategoryScale):
        return ""
    strange = factor.scale.unlisted(measure)
    known = ", ".join(factor.scale.values)
    return f" (not on the scale: {', '.join(strange)}; the scale knows {known})" if strange else ""


def explain(facts: pd.DataFrame, definition: Score, hazard_id: Hashable) -> str:
    """Say in plain sentences how one hazard came to its score.

    Parameters
    ----------
    facts
        The table that was scored, with ``hazard_id``; the rank is among its rows.
    definition
        The score.
    hazard_id
        Which hazard.

    Raises
    ------
    DataError
        If the hazard is not in the table, or more than once.

    Examples
    --------
    >>> facts = pd.DataFrame({"hazard_id": ["A", "B"], "hazard_class": ["CHA", "SHA"],
    ...     "people_near": [3_120.0, 5.0], "accidents_near": [2, None],
    ...     "land_use": "crops", "ordnance": "uxo"})
    >>> print(explain(facts, RISK, "A"))
    A, risk: 76 of 100 (high), rank 1 of 2.
    35 from people within 1 km (3,120), 15 from hazard class (CHA), 11 from accidents within 1 km (2),
    8 from land use (crops), 7 from ordnance (uxo).
    Most of it comes from people within 1 km: Only where people live and move can anyone be hurt.
    >>> print(explain(facts, RISK, "B").splitlines()[-1])
    Not known: accidents within 1 km. Depending on it the score lies between 26 and 51.
    """
    if "hazard_id" not in facts:
        raise DataError("facts: there is no column hazard_id to find the hazard by")
    rows = np.flatnonzero((facts["hazard_id"] == hazard_id).to_numpy())
    if len(rows) != 1:
        raise DataError(
            f"facts: hazard_id {hazard_id!r} stands there {len(rows)} times; ask for one that is there once"
        )
    table = score(facts, definition)
    row, fact = table.iloc[rows[0]], facts.iloc[rows[0]]
    factors = [factor for factor in definition.factors if factor.weight > 0]
    gaps = [factor for factor in factors if factor.column in row["missing"].split("; ")]
    lines = [f"{hazard_id}, {definition.name}: {_verdict(row, table)}."]
    if math.isfinite(row["score"]):
        lines.append(_parts(row, fact, [factor for factor in factors if factor not in gaps]))
    if gaps:
        known = ", ".join(_name(factor) for factor in gaps)
        low, high = row["score_low"], row["score_high"]
        word = "it" if len(gaps) == 1 else "them"
        lines.append(
            f"Not known: {known}. Depending on {word} the score lies between {low:.0f} and {high:.0f}."
        )
    return "\n".join(lines)


def _verdict(row: pd.Series, table: pd.DataFrame) -> str:
    if not math.isfinite(row["score"]):
        return f"{NOT_SCORED}, too little is known"
    peers = table["rank"] == row["rank"]
    tie = f", shared by {peers.sum()}" if peers.sum() > 1 else ""
    ranked = f"rank {row['rank']:.0f} of {table['rank'].notna().sum():,}{tie}"
    return f"{row['score']:.0f} of 100 ({row['class']}), {ranked}"


def _parts(row: pd.Series, fact: pd.Series, factors: list[Factor]) -> str:
    points = np.array([row[f"from_{factor.name}"] for factor in factors])
    shown = _rounded(points, round(row["score"]))
    order = _falling(points)
    said = [f"{shown[i]} from {_name(factors[i])} ({_spoken(fact[factors[i].column])})" for i in order]
    first = factors[order[0]]
    why = f"\nMost of it comes from {_name(first)}: {first.reason}" if shown[order[0]] else ""
    return ", ".join(said) + "." + why


def _falling(points: Array) -> list[int]:
    return np.argsort(-points, kind="stable").tolist()


def _rounded(points: Array, total: int) -> list[int]:
    """Round so that the whole points still add up to the rounded total (largest remainders go up)."""
    whole = np.floor(points).astype(int)
    whole[_falling(points - whole)[: total - int(whole.sum())]] += 1
    return whole.tolist()


def _name(factor: Factor) -> str:
    return factor.label or factor.column


def _spoken(value: object) -> str:
    if isinstance(value, (bool, np.bool_, str)):
        return str(value)
    number = float(value)  # type: ignore[arg-type]
    return f"{number:,.0f}" if abs(number) >= 10 or number == round(number) else f"{number:.2g}"


_LAND_USE = CategoryScale(
    values={
        "village": 1.0,
        "housing": 1.0,
        "residential": 1.0,
        "school": 1.0,
        "health": 1.0,
        "water": 1.0,
        "crops": 0.8,
        "agriculture": 0.8,
        "farmland": 0.8,
        "road": 0.7,
        "infrastructure": 0.7,
        "grazing": 0.5,
        "pasture": 0.5,
        "forest": 0.3,
        "other": 0.3,
        "unused": 0.0,
    }
)
_JUDGED = "A judgement, no source: the national authority must set it"

_PEOPLE = Factor(
    name="people",
    column="people_near",
    weight=40,
    scale=LogScale(full_at=10_000),
    label="people within 1 km",
    reason="Only where people live and move can anyone be hurt.",
    source="Full at 10,000: at the rate seen in Afghanistan (2.4 casualties a year per 10,000 people within "
    "1 km, OCHA 2023, computed) that is more than two casualties a year. Weight: a judgement, no source",
)
_CLASS = Factor(
    name="hazard_class",
    column="hazard_class",
    weight=15,
    scale=CategoryScale(values={"SHA": 0.2, "CHA": 1.0}),
    label="hazard class",
    reason="A confirmed area rests on direct evidence, a suspected one on indirect evidence (IMAS 08.10), "
    "so evidence is not counted a second time.",
    source="Under 5 % of suspected areas proved to hold mines in one practitioner's account (JMU journal "
    "13.2); 0.2 instead of 0.05 because survey also finds new area. A judgement",
)
_LAND = Factor(
    name="land_use",
    column="land_use",
    weight=10,
    scale=_LAND_USE,
    label="land use",
    reason="Homes, schools, water and fields must be entered every day; forest can be avoided for a while.",
    source=_JUDGED,
)

RISK = Score(
    name="risk",
    meaning="How much speaks for people being hurt here now. High: look here first. Low is not safe: only "
    "the authority releases land. It is no chance and no number of accidents, and does not add up.",
    factors=(
        _PEOPLE,
        Factor(
            name="accidents",
            column="accidents_near",
            weight=25,
            scale=LogScale(full_at=10),
            label="accidents within 1 km",
            reason="Where people were hurt before, ordnance is there and people go there.",
            source=_JUDGED,
        ),
        _CLASS,
        _LAND,
        Factor(
            name="ordnance",
            column="ordnance",
            weight=10,
            scale=CategoryScale(
                values={"ap_mine": 1.0, "cluster": 1.0, "ied": 1.0, "uxo": 0.7, "at_mine": 0.5},
            ),
            label="ordnance",
            reason="Mines against people, submunitions and improvised devices go off at a step or a touch; "
            "mines against vehicles mostly need one.",
            source=_JUDGED,
        ),
    ),
)
"""Score of the risk to people who live near: a starting judgement, to be set by the national authority."""

DISPLACEMENT = Score(
    name="displacement",
    meaning="How strongly people coming home will press on this land in the coming 12 months. What counts "
    "is who arrives, not how many are displaced. Low is not safe: only the authority releases land.",
    factors=(
        Factor(
            name="arrivals",
            column="arrivals",
            weight=60,
            scale=LogScale(full_at=5_000),
            label="people arriving within 1 km in 12 months",
            reason="People who come home do not know where it is dangerous: of Kosovo's 569 casualties of "
            "1999-2013, 438 fell in 1999-2000, when people returned.",
            source="Reason: Landmine Monitor, Kosovo. Scale and weight: a judgement, no source",
            required=True,
        ),
        replace(
            _LAND,
            weight=20,
            reason="People who come home need their houses, water, schools and fields at once.",
        ),
        replace(_CLASS, weight=10),
        replace(
            _PEOPLE,
            weight=10,
            reason="Where many live already, newcomers are left with the land that others avoid.",
        ),
    ),
)
"""Score of the pressure from people coming home; hazards without known arrivals are not scored."""
