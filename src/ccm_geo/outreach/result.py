"""The chosen stops, with the proof of how good they are."""

from dataclasses import dataclass, field
from typing import Literal, TypeAlias

import pandas as pd

from ccm_geo.schemas import Note

Goal: TypeAlias = Literal["coverage", "travel"]

_SHOWN = 12


@dataclass(frozen=True, kw_only=True, repr=False)
class Outreach:
    """Which stops to serve, who they reach, and the proof; ``print(outreach)`` tells it as a short story.

    Parameters
    ----------
    goal
        ``coverage`` (most people within a limit) or ``travel`` (shortest trip on average).
    sites
        The chosen stops on their own labels, the one that brings most first: ``cost_usd``; ``adds``, what it
        adds to those above (people within the limit, or what it takes off the mean trip); ``people`` for whom
        it is the nearest stop (of coverage: within the limit) and ``places``, how many places these are.
    places
        On the index of the places: ``stop`` (the nearest chosen or existing one, missing where none is in
        reach), ``cost`` (minutes, or what the table of costs counts), and ``reach``: ``within`` or
        ``beyond`` the limit, or ``unknown`` where no way to any stop is known. Without a limit: ``served``.
    value
        People within the limit, or the mean trip.
    bound
        No other choice can cover more, or bring a shorter mean trip.
    people
        People by reach: ``within``, ``beyond``, ``unknown`` (or ``served``), and ``within before`` the
        chosen stops; they count places whose number of people is known.
    cost_usd
        What the chosen stops cost.
    limits
        What the choice had to keep within, in words.
    names
        What to call the stops.
    within
        The limit, or None.
    unit, who
        What costs count (``minutes``), and who is counted (``people``, ``survivors``).
    notes
        What was assumed, left out, or is unknown.
    """

    goal: Goal
    sites: pd.DataFrame = field(repr=False)
    places: pd.DataFrame = field(repr=False)
    value: float
    bound: float
    people: "pd.Series[float]" = field(repr=False)
    cost_usd: float
    limits: str
    names: "pd.Series[str]" = field(repr=False)
    within: float | None = None
    unit: str = "minutes"
    who: str = "people"
    notes: tuple[Note, ...] = ()

    @property
    def gap(self) -> float:
        """How much better another choice could be at most, as a share of the better of value and bound."""
        worse = self.bound - self.value if self.goal == "coverage" else self.value - self.bound
        size = max(abs(self.bound), abs(self.value))
        return max(0.0, worse / size) if size > 0 else 0.0

    def __str__(self) -> str:
        return "\n".join([*self._choice(), *self._list(), self._proof(), *self._beware()])

    def __repr__(self) -> str:
        return f"<Outreach {self.goal}: {len(self.sites)} stops, {self.value:,.6g}, gap {self.gap:.3%}>"

    def _choice(self) -> list[str]:
        money = f" for {self.cost_usd:,.0f} USD" if self.cost_usd == self.cost_usd and self.cost_usd else ""
        lines = [f"{_many(len(self.sites), 'stop')} chosen{money}, {self.limits}."]
        count = self.people
        known = float(count.drop("within before").sum())
        if self.within is not None:
            share = count["within"] / known if known else 0.0
            lines.append(
                f"{count['within']:,.0f} of {known:,.0f} {self.who} ({share:.1%}) are then within "
                f"{self.within:g} {self.unit} of a stop; {count['within before']:,.0f} are today."
            )
            lines.append(f"{count['beyond']:,.0f} {self.who} stay beyond {self.within:g} {self.unit}.")
        if self.goal == "travel":
            lines.append(f"The trip to the nearest stop takes {_amount(self.value)} {self.unit} on average.")
        return lines

    def _list(self) -> list[str]:
        lines = []
        for rank, (label, row) in enumerate(self.sites.head(_SHOWN).iterrows(), start=1):
            more = f"adds {row['adds']:,.0f} {self.who} within reach"
            if self.goal == "travel":
                more = f"shortens the mean trip by {_amount(row['adds'])} {self.unit}"
            served = f"nearest stop for {row['people']:,.0f} {self.who}"
            lines.append(f"  {rank}. {self.names[label]}: {more}; {served}")
        if len(self.sites) > _SHOWN:
            lines.append(f"  ... and {len(self.sites) - _SHOWN} more")
        return lines

    def _proof(self) -> str:
        if self.gap == 0:
            return "No other choice within these limits can be better (proven)."
        more = f"{self.gap:.2%}" if self.gap >= 1e-4 else f"{self.gap:.1g}"
        return f"No other choice within these limits can be better by more than {more} (proven)."

    def _beware(self) -> list[str]:
        """Tell what is unknown or assumed about places and stops, and how many notes the data behind have."""
        told = [note for note in self.notes if note.table in {"places", "candidates"}]
        lines = [f"Beware: {note.text}." for note in told if note.kind in {"unknown", "assumed"}]
        rest = len(self.notes) - len(told)
        return [*lines, f"{_many(rest, 'note')} on the data behind it stand in .notes."] if rest else lines


def _amount(number: float) -> str:
    return f"{number:,.0f}" if abs(number) >= 100 else f"{number:,.3g}"


def _many(count: int, what: str) -> str:
    return f"{count:,} {what}{'s' if count != 1 else ''}"
