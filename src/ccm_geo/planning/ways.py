"""For each hazard the way into the plan, or on to its last state, that came nearest to being taken.

At the plan's prices every path has a worth: what it averts, less what its money and teams avert elsewhere.
For a hazard that is left out the nearest way is the one that pays for the largest part of what it uses; for
one that is left on its way, the most worthy one that reaches the last state. What hazards bring together
(`Complete`, `Compact`) is left aside.
"""

from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from .engine.arcs import Arcs
from .engine.prices import Rows, too_large, values_at, walk
from .engine.solve import Solution
from .listing import Floats, Listing, Mask, by_hazard, leads_on, money_of
from .model import Family, Model

_ROUNDS = 12  # the best ratio is found in a handful
_SAME = 1e-9
_NEVER = -1e300  # worth of an option that no path may take


@dataclass(frozen=True, kw_only=True)
class Ways:
    """The nearest way of every hazard, and what it would take.

    Parameters
    ----------
    there
        Whether the rules leave a way.
    path
        Options of the ways.
    end
        Name of the state that each way ends in; ``""`` without states.
    cost, benefit, uses
        Of each way: USD, what it averts, and what its money and teams avert elsewhere.
    short
        Place of the limit (family of the model) that is shortest: of all limits on what takes the largest
        part of `uses` (money, team-months), the one with the highest price; -1 for none.
    fits_at
        Share of that money, or of these team-months, at which the way would pay; NaN where none would do.
    takes
        What the way takes of that limit, in its unit.
    planned
        What the money and teams that the plan spends on each hazard avert elsewhere.
    too_large
        Options that are more than a limit allows by themselves, shape ``(options,)``.
    """

    there: Mask
    path: Mask = field(repr=False)
    end: npt.NDArray[np.object_]
    cost: Floats
    benefit: Floats
    uses: Floats
    short: npt.NDArray[np.int64]
    fits_at: Floats
    takes: Floats
    planned: Floats
    too_large: Mask = field(repr=False)

    @property
    def gap(self) -> Floats:
        """By how much each way falls short of paying for what it uses; infinite where there is none."""
        return np.where(self.there, np.maximum(self.uses - self.benefit, 0.0), np.inf)

    @property
    def factor(self) -> Floats:
        """What each way averts as a share of what it uses; NaN where there is none."""
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.where(self.there, self.benefit / (self.benefit + self.gap), np.nan)


def nearest_ways(model: Model, found: Solution, under_way: Mask) -> Ways:
    """Find the nearest way of every hazard: to the last state where it is `under_way`, else into the plan."""
    listing = model.listing
    prices = _Prices.of(model, found)
    count = len(listing.hazard_ids)
    closing = (listing.src != listing.dst) & ~leads_on(listing)
    on, arrives = prices.through(closing & under_way[listing.hazard])
    into, enters = prices.entering()
    path = np.where(under_way[listing.hazard], on, into)
    there = np.where(under_way, arrives, enters)
    path &= there[listing.hazard]
    end = np.full(count, "", dtype=object)
    if "state_to" in listing.frame:
        rows = np.flatnonzero(path)
        rows = rows[np.argsort(listing.dst[rows], kind="stable")]
        end[listing.hazard[rows]] = listing.frame["state_to"].astype("str").to_numpy(dtype=object)[rows]
    benefit = by_hazard(listing, path, listing.benefit)
    parts = [by_hazard(listing, path, part) for part in prices.parts]
    uses = np.sum(parts, axis=0) if parts else np.zeros(count)
    short, fits_at, takes = _shortest(model.families, listing, path, parts, benefit)
    return Ways(
        there=there,
        path=path,
        end=end,
        cost=by_hazard(listing, path, money_of(listing)),
        benefit=benefit,
        uses=uses,
        short=short,
        fits_at=fits_at,
        takes=takes,
        planned=np.sum(
            [by_hazard(listing, found.taken, p) for p in prices.parts] or [np.zeros(count)], axis=0
        ),
        too_large=prices.too_large,
    )


def _shortest(
    families: tuple[Family, ...], listing: Listing, path: Mask, parts: list[Floats], benefit: Floats
) -> tuple[npt.NDArray[np.int64], Floats, Floats]:
    """Find what each way uses most of and the limit behind it, and how much of it the way could pay for."""
    count = len(benefit)
    if not parts:
        return np.full(count, -1), np.full(count, np.nan), np.zeros(count)
    table, each = np.array(parts), np.arange(count)
    _, of = np.unique([f.column for f in families], return_inverse=True)
    together = np.array([table[of == g].sum(axis=0) for g in range(of.max() + 1)])
    top = together.argmax(axis=0)
    short = np.where(of[:, None] == top, table, -np.inf).argmax(axis=0)
    size = together[top, each]
    takes = np.array([by_hazard(listing, path & (f.key >= 0), f.coef) for f in families])[short, each]
    with np.errstate(divide="ignore", invalid="ignore"):
        fits_at = (benefit - (table.sum(axis=0) - size)) / size
    none = ~(size > 0)
    return (
        np.where(none, -1, short),
        np.where(none | ~(fits_at > 0), np.nan, np.minimum(fits_at, 1.0)),
        takes,
    )


@dataclass(frozen=True, kw_only=True)
class _Prices:
    """Options at the plan's prices; hazards decide alone."""

    model: Model
    arcs: Arcs
    keys: int
    value: Floats
    parts: list[Floats]
    barred: Mask

    @classmethod
    def of(cls, model: Model, found: Solution) -> "_Prices":
        alone = replace(model, completions=(), pairs=())
        arcs, rows = Arcs.of(alone), Rows.of(alone)
        parts = []
        for family, prices in model.by_family(found.prices):
            by_key = family.pattern @ prices
            parts.append(np.where(family.key >= 0, family.coef * by_key[np.maximum(family.key, 0)], 0.0))
        value = values_at(arcs, rows, found.prices)
        barred = too_large(arcs, rows)
        return cls(
            model=alone, arcs=arcs, keys=rows.pattern.shape[0], value=value, parts=parts, barred=barred
        )

    def _walk(self, value: Floats) -> Mask:
        """Take the most valuable path of every hazard, as options; none that is too large by itself."""
        taken, _, _ = walk(self.arcs, np.where(self.barred, _NEVER, value), self.keys)
        taken &= ~self.barred
        whole = np.zeros(len(self.model.allowed), bool)
        whole[self.arcs.origin[taken]] = True
        return whole

    @property
    def too_large(self) -> Mask:
        """Say which options are more than a limit allows by themselves."""
        large = np.zeros(len(self.model.allowed), bool)
        large[self.arcs.origin[self.barred]] = True
        return large

    def _sum(self, path: Mask, values: Floats) -> Floats:
        return by_hazard(self.model.listing, path, values)

    def through(self, wanted: Mask) -> tuple[Mask, Mask]:
        """Take the best path through one of the wanted options, of which no path has two; say where it is."""
        arcs, hazards = self.arcs, len(self.arcs.start)
        pull = 1.0 + 2.0 * np.bincount(arcs.hazard, weights=np.abs(self.value), minlength=hazards)
        path = self._walk(self.value + np.where(wanted[arcs.origin], pull[arcs.hazard], 0.0))
        return path, self._sum(path, wanted.astype(float)) > 0

    def entering(self) -> tuple[Mask, Mask]:
        """Take the path that averts most for what it uses (Dinkelbach); say where it averts anything."""
        arcs, listing = self.arcs, self.model.listing
        averts = arcs.most
        used = averts - self.value
        by_option = np.zeros(len(self.model.allowed))
        by_option[arcs.origin] = used
        path = self._walk(self.value)
        pays = self._sum(path, listing.benefit) > 0
        share = np.where(pays, 1.0, 0.0)
        for _ in range(_ROUNDS):
            new = self._walk(averts - share[arcs.hazard] * used)
            gain, price = self._sum(new, listing.benefit), self._sum(new, by_option)
            better = ~pays & (gain > 0) & (gain - share * price > _SAME * gain)
            if not better.any():
                break
            path = np.where(better[listing.hazard], new, path)
            with np.errstate(divide="ignore", invalid="ignore"):
                ratio = np.where(price > 0, gain / price, 1.0)
            share = np.where(better, np.minimum(ratio, 1.0), share)
        return path, self._sum(path, listing.benefit) > 0
