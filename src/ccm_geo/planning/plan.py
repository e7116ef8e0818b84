"""The chosen options, with the proof of how good they are and the reason for every hazard."""

from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import pandas as pd

from ccm_geo.errors import DataError
from ccm_geo.schemas import Note

from . import story
from .listing import require_table
from .ranking import Comparison, down_the_list
from .reasons import without_option


@dataclass(frozen=True, kw_only=True, repr=False)
class Plan:
    """What to do where and when; ``print(plan)`` tells it as a short story.

    Parameters
    ----------
    table
        The chosen options, by year, then hazard.
    options
        Everything it was chosen from.
    rules
        The rules it keeps, spelled out for these options.
    benefit
        What it averts over the horizon, in `benefit_unit`, with its bonuses.
    bound
        No plan under the same rules can avert more.
    cost_usd
        What it costs in all.
    use
        One row per limit: rule, row, limit, used, price (benefit that one more unit would bring).
    bonuses
        One row per bonus that hazards bring together: rule, what, bonus.
    tell
        Gives the table of `reasons` when it is first asked for.
    notes
        What was assumed, left out or looks odd.
    checked
        What an independent re-evaluation tested; a plan that fails it is never returned.
    run_id
        Short hash of options, rules and what was chosen.
    benefit_unit
        ``accidents averted``, or ``relative`` where harm has no scale.
    horizon
        First and last year over which benefit is counted, or None.
    """

    table: pd.DataFrame = field(repr=False)
    options: pd.DataFrame = field(repr=False)
    rules: tuple[Any, ...]
    benefit: float
    bound: float
    cost_usd: float
    use: pd.DataFrame = field(repr=False)
    bonuses: pd.DataFrame = field(repr=False)
    tell: Callable[[], pd.DataFrame] = field(repr=False)
    notes: tuple[Note, ...]
    checked: tuple[str, ...]
    run_id: str
    benefit_unit: str = "accidents averted"
    horizon: tuple[int, int] | None = None

    @property
    def gap(self) -> float:
        """How much more another plan could avert at most, as a share of the bound."""
        return max(0.0, (self.bound - self.benefit) / self.bound) if self.bound > 0 else 0.0

    @cached_property
    def reasons(self) -> pd.DataFrame:
        """One row per hazard: chosen, activities, first_year, last_year, reason, price_gap."""
        return self.tell()

    @property
    def averted(self) -> float:
        """What it averts without the bonuses."""
        return float(self.table["benefit"].sum())

    @property
    def placeholder(self) -> bool:
        """Whether numbers without a source stand behind chosen rows."""
        return "placeholder" in self.table and bool(self.table["placeholder"].any())

    def why(self, hazard_id: str, *, facts: pd.DataFrame | None = None) -> str:
        """Say why a hazard is in the plan or not, and what would bring it in.

        Parameters
        ----------
        hazard_id
            A hazard of the options, or one that was left out of them.
        facts
            Hazards, as for `list_options`: looked up for one that has no options.

        Raises
        ------
        DataError
            If it has no options, and neither facts nor the notes of the options name it.
        """
        if isinstance(hazard_id, Hashable) and hazard_id in self.reasons.index:
            return f"{hazard_id}: {self.reasons.loc[hazard_id, 'reason']}"
        said = self._left_out(hazard_id, facts)
        if not said:
            raise DataError(
                f"plan: hazard {hazard_id!r} has no options; give the id of one hazard; it may be "
                "closed, misspelled, or without harm; facts= says what the record has of it"
            )
        return f"{hazard_id}: {said}"

    def _left_out(self, hazard_id: str, facts: pd.DataFrame | None) -> str:
        """Say why no option was offered for a hazard, as far as facts, or else notes, show it."""
        if facts is not None:
            require_table(facts, "facts", "give the table of hazards that list_options was given")
            if "hazard_id" not in facts:
                raise DataError("facts: no column 'hazard_id'; see read_hazards")
            own = facts[facts["hazard_id"] == hazard_id]
            if len(own):
                return str(without_option(own).iloc[0])
        named = [n.text for n in self.notes if n.table == "options" and str(hazard_id) in n.rows]
        return f"no option was offered for it ({named[0]})" if named else ""

    def against_ranking(self, ranking: pd.Series | None = None) -> Comparison:
        """Spend the same money down a ranked list, as offices do today, and compare.

        Hazard by hazard in the order of the list, year by year, each is released by the cheapest path
        as long as the limits of its year allow; one that is too dear is passed over. That is kinder
        than practice, which seldom passes over.

        Parameters
        ----------
        ranking
            A score by hazard id, highest first; by default the harm expected over the horizon.

        Raises
        ------
        DataError
            If the ranking names no hazard of the plan.
        """
        return down_the_list(self, ranking)

    def __str__(self) -> str:
        return story.told(self)

    def __repr__(self) -> str:
        return (
            f"<Plan {self.run_id}: {len(self.table):,} options, {self.cost_usd:,.0f} USD, gap {self.gap:.3%}>"
        )

    def _repr_html_(self) -> str:
        return story.as_html(self)
