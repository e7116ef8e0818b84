"""A finished plan's model once more, with its prices: what the questions asked of a plan share."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from ccm_geo.errors import DataError

from .arcs import Arcs, Blocks
from .listing import Floats, Listing, Mask
from .model import Model, build
from .prices import Answer, Rows, answer, lowest_bound

if TYPE_CHECKING:
    from .plan import Plan

SAME = 1e-9  # share below which two sums are the same number, rounded differently


@dataclass(frozen=True, kw_only=True)
class Priced:
    """Model, rows and prices behind a plan.

    Parameters
    ----------
    model, arcs, rows
        What the plan was chosen from and under.
    found
        What hazards do by themselves at the plan's prices, and the bound that follows.
    taken
        Rows of the listing that the plan takes.
    benefit, bound
        What the plan averts, and what no plan exceeds.
    """

    model: Model
    arcs: Arcs = field(repr=False)
    rows: Rows = field(repr=False)
    found: Answer = field(repr=False)
    taken: Mask = field(repr=False)
    benefit: float
    bound: float

    @classmethod
    def of(cls, plan: "Plan") -> "Priced":
        """Lay the plan's rules over its options again, at the prices that the plan tells."""
        listing = Listing.of(plan.options)
        model = build(listing, plan.rules)
        arcs, rows = Arcs.of(model), Rows.of(model)
        prices = plan.use["price"].to_numpy(dtype=float) if len(plan.use) else np.zeros(0)
        if len(prices) == len(rows.lower):
            found = answer(arcs, rows, rows.allowed(prices))
        else:
            found = lowest_bound(arcs, rows)
        bound = min(plan.bound, found.bound + 1e-12 * abs(found.bound))
        return cls(
            model=model,
            arcs=arcs,
            rows=rows,
            found=found,
            taken=rows_of(listing, plan),
            benefit=plan.benefit,
            bound=max(bound, plan.benefit),
        )

    @property
    def listing(self) -> Listing:
        """The options in the order of paths."""
        return self.model.listing

    @property
    def chosen(self) -> Mask:
        """Hazards on which the plan does something."""
        out = np.zeros(len(self.listing.hazard_ids), bool)
        out[self.listing.hazard[self.taken]] = True
        return out

    @property
    def alone(self) -> Arcs:
        """The options, every hazard deciding for itself, without what it brings together with others."""
        return replace(self.arcs, blocks=Blocks.alone(len(self.arcs.start), self.arcs.years))

    def use(self, taken: Mask) -> Floats:
        """Add up every row for chosen options of the listing."""
        parts = [f.use(taken) for f in self.model.families]
        return np.concatenate(parts) if parts else np.zeros(0)

    def room(self) -> Floats:
        """How far a row may be overdrawn by rounding alone."""
        limit = np.where(np.isfinite(self.rows.upper), self.rows.upper, 0.0)
        return 1e-9 * np.maximum(1.0, np.abs(limit))


def rows_of(listing: Listing, plan: "Plan") -> Mask:
    """Say which options of the listing a plan takes."""
    taken: Mask = listing.frame["option_id"].isin(plan.table["option_id"]).to_numpy()
    return taken


def by_hazard(listing: Listing, which: Mask, values: Floats) -> Floats:
    """Add up values of some options by hazard."""
    weights = np.where(which, values, 0.0)
    return np.bincount(listing.hazard, weights=weights, minlength=len(listing.hazard_ids)).astype(float)


def money_of(listing: Listing) -> Floats:
    """Cost of every option; 0 where the table names none."""
    if "cost_usd" not in listing.frame:
        return np.zeros(len(listing.benefit))
    return listing.frame["cost_usd"].to_numpy(dtype=float)


def named(hazards: Sequence[str] | str, listing: Listing, asker: str) -> list[int]:
    """Find hazards by name.

    Raises
    ------
    DataError
        If one of them has no options.
    """
    wanted = [hazards] if isinstance(hazards, str) else list(hazards)
    at = listing.hazard_ids.get_indexer(pd.Index(wanted, dtype=object))
    if (at < 0).any():
        unknown = [h for h, i in zip(wanted, at, strict=True) if i < 0]
        raise DataError(f"{asker}: {len(unknown)} hazards have no options, first {unknown[0]!r}")
    return [int(i) for i in at]


def activities_of(listing: Listing, which: Mask) -> pd.Series:
    """Write "nts 2027, clearance 2028" for each hazard."""
    rows = listing.frame[which]
    text = (rows["activity"] if "activity" in rows else rows["option_id"]).astype("str")
    if "year" in rows:
        text = text + " " + rows["year"].astype("str")
    joined = text.groupby(listing.hazard[which]).agg(", ".join)
    return joined.reindex(np.arange(len(listing.hazard_ids)), fill_value="")


def few(value: float) -> str:
    """Write a number with three digits."""
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"


def as_text(table: pd.DataFrame, **formats: str) -> str:
    """Write a table in columns; `formats` say how, by column."""
    shown: dict[str, Any] = {
        name: [format(v, formats[name]) if name in formats else str(v) for v in table[name]] for name in table
    }
    return str(pd.DataFrame(shown).to_string(index=False))
