"""Models in which no hazard has more than one option left: hazards are cells, taken or not.

Then pairs of hazards that bring something together make the field that `patches` solves with minimum cuts.
"""

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
from scipy import sparse

from ccm_geo.planning.listing import Floats, Ints, Mask
from ccm_geo.planning.model import Model

from .cuts import Field
from .prices import Rows


@dataclass(frozen=True, kw_only=True)
class Cells:
    """A model as a field: cell i is option ``option[i]`` of the listing, of hazard ``hazard[i]``."""

    field: Field = field(repr=False)
    option: Ints
    hazard: Ints
    options: int
    hazards: int

    def taken(self, cells: Mask) -> Mask:
        """Say which options are taken, shape ``(options,)``."""
        out = np.zeros(self.options, bool)
        out[self.option[cells]] = True
        return out

    def loss(self, spare: Floats) -> Floats:
        """By how much each option falls short of its price, shape ``(options,)``; infinite: ruled out."""
        out = np.full(self.options, np.inf)
        held = self.field.fixed
        out[self.option] = np.where(held == 0, np.inf, np.where(held == 1, 0.0, np.maximum(-spare, 0.0)))
        return out

    def best(self, spare: Floats) -> Floats:
        """Say what each hazard's best choice brings beyond its price, shape ``(hazards,)``."""
        out = np.zeros(self.hazards)
        held = self.field.fixed
        out[self.hazard] = np.where(held == 1, spare, np.where(held == 0, 0.0, np.maximum(spare, 0.0)))
        return out


def cells_of(model: Model) -> Cells | None:
    """See a model as a field of cells; None where it is none.

    It is one where every hazard has at most one option that the rules allow, and where pairs of hazards
    bring something and nothing else is brought together, or a single row couples hazards (a knapsack).
    """
    listing = model.listing
    option = np.nonzero(model.allowed)[0]
    hazard = listing.hazard[option]
    fits = bool(model.pairs) or model.rows == 1
    if not fits or model.completions or len(np.unique(hazard)) < len(hazard):
        return None
    held = _held(model, option, hazard)
    if held is None:
        return None
    cell = np.full(len(listing.hazard_ids), -1)
    cell[hazard] = np.arange(len(option))
    ends, worth = _pairs(model, option, cell)
    rows = Rows.of(model)
    coefs = _coefficients(model, option)
    return Cells(
        field=Field.over(
            benefit=listing.benefit[option],
            pairs=ends,
            worth=worth,
            rows=sparse.csr_array(rows.pattern[:-1].T @ coefs),
            lower=rows.lower,
            upper=rows.upper,
            fixed=held,
        ),
        option=option,
        hazard=hazard,
        options=len(listing.benefit),
        hazards=len(listing.hazard_ids),
    )


def _held(model: Model, option: Ints, hazard: Ints) -> npt.NDArray[np.int8] | None:
    """Turn marks into cells that must or cannot be taken; None where a hazard that must act cannot."""
    out = np.full(len(option), -1, np.int8)
    wrong_state = model.listing.src[option] != model.listing.start[hazard]
    out[wrong_state] = 0
    for mark in model.marks:
        out[mark.asks[option]] = 0
    for mark in model.marks:
        able = mark.must[hazard] & mark.sets[option] & (out != 0)
        if able.sum() < mark.must.sum():
            return None
        out[able] = 1
    return out


def _pairs(model: Model, option: Ints, cell: Ints) -> tuple[Ints, Floats]:
    """Pairs of cells that count as work in the same year."""
    year = model.listing.year[option]
    ends, worth = [np.zeros((0, 2), np.int64)], [np.zeros(0)]
    for pairs in model.pairs:
        at = cell[pairs.ends]
        works = pairs.works[option]
        keep = (at >= 0).all(axis=1)
        at, value = at[keep], pairs.worth[keep]
        same = works[at].all(axis=1) & (year[at[:, 0]] == year[at[:, 1]])
        ends.append(at[same])
        worth.append(value[same])
    return np.concatenate(ends), np.concatenate(worth)


def _coefficients(model: Model, option: Ints) -> sparse.csr_array:
    """Coefficient of each cell by key, keys of all families one after the other."""
    blocks = []
    for family in model.families:
        key = family.key[option]
        held = np.nonzero(key >= 0)[0]
        shape = (family.pattern.shape[0], len(option))
        entries = (family.coef[option[held]], (key[held], held))
        blocks.append(sparse.csr_array(sparse.coo_array(entries, shape=shape)))
    return sparse.csr_array(sparse.vstack(blocks)) if blocks else sparse.csr_array((0, len(option)))
