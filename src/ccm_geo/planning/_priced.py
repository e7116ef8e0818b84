"""A finished plan's model once more, with its prices: what the questions asked of a plan share."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from ccm_geo.errors import DataError

from .engine.arcs import Arcs
from .engine.prices import Answer, Rows, answer, lowest_bound, too_large
from .listing import Floats, Listing, Mask
from .model import Model, build

if TYPE_CHECKING:
    from .plan import Plan

SAME = 1e-9  # share below which two sums are the same number, rounded differently


@dataclass(frozen=True, kw_only=True)
class Priced:
    """Model, rows and prices behind a plan.

    Parameters
    ----------
    model, arcs, rows
        What the plan was chosen from and under; arcs that are too large by themselves are left out.
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
        if not hasattr(plan, "options"):
            raise DataError(f"give a plan from prioritize, not a {type(plan).__name__}")
        listing = Listing.of(plan.options)
        model = build(listing, plan.rules)
        arcs, rows = Arcs.of(model), Rows.of(model)
        arcs = arcs.keep(~too_large(arcs, rows))
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

    def use(self, taken: Mask) -> Floats:
        """Add up every row for chosen options of the listing."""
        parts = [f.use(taken) for f in self.model.families]
        return np.concatenate(parts) if parts else np.zeros(0)


def rows_of(listing: Listing, plan: "Plan") -> Mask:
    """Say which options of the listing a plan takes."""
    taken: Mask = listing.frame["option_id"].isin(plan.table["option_id"]).to_numpy()
    return taken


def few(value: float, digits: int = 3) -> str:
    """Write a number with few digits, and never as a power of ten where it is large.

    Examples
    --------
    >>> few(1234.5), few(12.345), few(220.0, 2)
    ('1,234', '12.3', '220')
    """
    return f"{value:,.0f}" if abs(value) >= 10 ** min(digits, 3) else f"{value:.{digits}g}"


def as_text(table: pd.DataFrame, **formats: str) -> str:
    """Write a table in columns; `formats` say how, by column."""
    shown: dict[str, Any] = {
        name: [format(v, formats[name]) if name in formats else str(v) for v in table[name]] for name in table
    }
    return str(pd.DataFrame(shown).to_string(index=False))
