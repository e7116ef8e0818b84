"""What it brings to work on neighbors in the same year: shared camps, shared roads, no fence between them."""

from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass, replace

import geopandas as gpd
import numpy as np
import numpy.typing as npt
import pandas as pd
import shapely
from scipy import spatial

from ccm_geo import space
from ccm_geo.errors import DataError
from ccm_geo.planning.listing import Listing, Where, matching
from ccm_geo.planning.model import Compiled, Pairs
from ccm_geo.schemas import Note

from ._given import is_amount, require_where
from .limits import Rule

_SHOWN = 50
_TOUCH_M = 0.01  # projecting moves vertices by far less; outlines this near touch
_CORNER_M = 0.1  # of boundary that counts as shared where outlines only meet in a corner
Pair = tuple[str, str] | tuple[str, str, float]


@dataclass(frozen=True)
class Compact(Rule):
    """Worth, or a saving, for each year in which two neighbors are both worked on.

    Worked on means that a step is taken (survey, clearance); `where` narrows that. It never forbids
    anything: it pulls a plan together as far as that is worth it.

    Parameters
    ----------
    pairs
        Neighbors as pairs of hazard ids, or with a third number that multiplies the worth, for example the
        shared boundary. See `neighbors`, whose table can be given as it is: then the worth is per pair,
        or with ``by="shared_m"`` per metre of shared boundary.
    worth
        What it brings if both of a pair are worked on in one year, in the unit of the benefit (accidents
        averted), 0 or more. There is no default: no source puts a number to it.
    within_m
        Instead of pairs: hazards whose places (columns ``lon`` and ``lat`` of the options) are at most so
        many metres apart.
    by
        Column of a table of pairs that multiplies the worth.
    where
        Only options with these values count as work, for example ``{"activity": "clearance"}``.
    name
        What to call it.

    Notes
    -----
    A saving in money has to be put in the unit of the benefit: dollars saved times what a dollar averts (the
    price of the budget, see ``Plan.use``).

    Examples
    --------
    >>> Compact([("HA-1", "HA-2"), ("HA-2", "HA-3", 0.5)], worth=0.2).pairs
    (('HA-1', 'HA-2', 1.0), ('HA-2', 'HA-3', 0.5))
    """

    pairs: Sequence[Pair] | pd.DataFrame | None = None
    _: KW_ONLY
    worth: float
    within_m: float | None = None
    by: str | None = None
    where: Where | None = None
    name: str = ""

    def __post_init__(self) -> None:
        """Refuse what cannot be meant, and give every pair its share of the worth."""
        require_where(self.where, "Compact")
        if not is_amount(self.worth):
            raise DataError(f"{self.title}: worth must be a number of 0 or more, not {self.worth!r}")
        if (self.pairs is None) == (self.within_m is None):
            raise DataError("Compact: give pairs= or within_m=, one of the two")
        if self.within_m is not None and not is_amount(self.within_m):
            raise DataError(f"Compact: within_m must be metres of 0 or more, not {self.within_m!r}")
        if self.by is not None and not isinstance(self.pairs, pd.DataFrame):
            raise DataError(f"{self.title}: by= names a column, so pairs must be a table; see neighbors")
        if self.pairs is not None:
            object.__setattr__(self, "pairs", self._once())
            object.__setattr__(self, "by", None)

    @property
    def title(self) -> str:
        """Its name in messages and tables."""
        return self.name or ("Compact" if self.within_m is None else f"Compact within {self.within_m:g} m")

    def _once(self) -> tuple[tuple[str, str, float], ...]:
        """Each pair once, with its share."""
        given = self.pairs if self.pairs is not None else ()
        shares: dict[tuple[str, str], float] = {}
        for pair in _from_table(given, self.by) if isinstance(given, pd.DataFrame) else _in_pairs(given):
            first, second, *more = pair
            share = more[0] if more else 1.0
            key = (first, second) if str(first) <= str(second) else (second, first)
            if not is_amount(share) or first == second:
                raise DataError(f"{self.title}: {(first, second, *more)!r} is no pair of two hazards")
            if shares.setdefault(key, float(share)) != share:
                raise DataError(f"{self.title}: pair {first!r}, {second!r} stands there with two shares")
        return tuple((a, b, s) for (a, b), s in shares.items())

    def fitted(self, listing: Listing, rules: tuple[Rule, ...]) -> tuple["Compact", list[Note]]:  # noqa: ARG002 - as in Rule
        """Name the pairs that have options; say which have none."""
        if self.pairs is None:
            return self._by_distance(listing)
        every: tuple[tuple[str, str, float], ...] = self.pairs  # type: ignore[assignment]
        there = set(listing.hazard_ids)
        kept = tuple(p for p in every if p[0] in there and p[1] in there)
        if every and not kept:
            raise DataError(
                f"{self.title}: none of the pairs has options, first {every[0][:2]}; check the ids"
            )
        notes = []
        if len(kept) < len(every):
            text = f"{self.title}: {len(every) - len(kept):,} pairs have a hazard without options: no worth"
            rows = tuple(f"{a}, {b}" for a, b, _ in every if not {a, b} <= there)[:_SHOWN]
            notes.append(Note("plan", "assumed", text, len(every) - len(kept), rows))
        return replace(self, pairs=kept), notes

    def _by_distance(self, listing: Listing) -> tuple["Compact", list[Note]]:
        rows = listing.frame.iloc[listing.first[:-1]]
        absent = [c for c in ("lon", "lat") if c not in rows]
        if absent:
            raise DataError(
                f"{self.title}: the options have no column {absent[0]!r}; give pairs=, see neighbors"
            )
        places = rows[["lon", "lat"]].to_numpy(dtype=float, na_value=np.nan)
        known = np.isfinite(places).all(axis=1)
        ids = listing.hazard_ids.to_numpy()
        found = _near(places[known], float(self.within_m or 0.0))
        near = ids[known][found]
        notes = []
        if not known.all():
            text = f"{self.title}: {int((~known).sum()):,} hazards have no place; they neighbor none"
            notes.append(
                Note("plan", "unknown", text, int((~known).sum()), tuple(map(str, ids[~known][:_SHOWN])))
            )
        text = f"{self.title}: {len(near):,} pairs of hazards lie within {self.within_m:,.0f} m of each other"
        notes.append(Note("plan", "assumed", text, len(near)))
        pairs = tuple((a, b, 1.0) for a, b in near.tolist())
        return replace(self, pairs=pairs, within_m=None, name=self.title), notes

    def compiled(self, listing: Listing, number: int) -> Compiled:
        """Give the pairs their places, and the options that count as work."""
        pairs: tuple[tuple[str, str, float], ...] = self.pairs  # type: ignore[assignment]
        works = (listing.src != listing.dst) & matching(listing.frame, self.where, self.title)
        ends = [listing.hazard_ids.get_indexer(pd.Index([p[side] for p in pairs])) for side in (0, 1)]
        worth = self.worth * np.array([p[2] for p in pairs], dtype=float)
        made = Pairs(rule=number, ends=np.column_stack(ends).astype(np.int64), worth=worth, works=works)
        return Compiled(pairs=(made,))

    def faults(self, chosen: pd.DataFrame, options: pd.DataFrame) -> list[str]:  # noqa: ARG002 - as in Rule
        """Nothing can break a bonus."""
        return []

    def bonuses(self, chosen: pd.DataFrame, options: pd.DataFrame) -> dict[str, float]:  # noqa: ARG002 - as in Rule
        """Look, year by year, for pairs of which both are worked on."""
        rows = chosen
        for column, wanted in (self.where or {}).items():
            rows = rows[rows[column].isin([wanted] if np.isscalar(wanted) else list(wanted))]
        if "state_from" in rows:
            rows = rows[rows["state_from"].astype(str) != rows["state_to"].astype(str)]
        hazard = rows["hazard_id"] if "hazard_id" in rows else rows["option_id"]
        years = rows["year"] if "year" in rows else pd.Series(0, index=rows.index)
        gained = {}
        for year in sorted(years.unique()):
            busy = set(hazard[years == year])
            when = f" in {int(year)}" if "year" in rows else ""
            for first, second, share in self.pairs if isinstance(self.pairs, tuple) else ():
                if first in busy and second in busy and share * self.worth > 0:
                    gained[f"{first} and {second}{when}"] = self.worth * share
        return gained


def _in_pairs(given: Sequence[Pair]) -> Sequence[Pair]:
    pairs = list(given) if np.iterable(given) else [given]
    wrong = [p for p in pairs if isinstance(p, str) or not np.iterable(p) or len(p) not in (2, 3)]
    if wrong:
        cure = "pairs are a list such as [('HA-1', 'HA-2'), ('HA-2', 'HA-3', 0.5)]"
        raise DataError(f"Compact: {wrong[0]!r} is no pair of two hazards; {cure}")
    return pairs


def _from_table(table: pd.DataFrame, by: str | None) -> list[Pair]:
    needed = ["hazard_id", "neighbor_id", *([by] if by else [])]
    absent = [c for c in needed if c not in table]
    if absent:
        raise DataError(f"Compact: the table of pairs has no column {absent[0]!r}; see neighbors")
    return list(table[needed].itertuples(index=False, name=None))


def _near(lonlat: npt.NDArray[np.float64], within_m: float) -> npt.NDArray[np.int64]:
    """Pairs of places at most `within_m` apart, shape ``(pairs, 2)``, the smaller place first."""
    if len(lonlat) < 2:
        return np.zeros((0, 2), np.int64)
    points = gpd.GeoSeries(gpd.points_from_xy(*lonlat.T), crs=space.LONLAT)
    flat = space.project(points, space.study_crs(points)).to_numpy()
    tree = spatial.cKDTree(np.column_stack([shapely.get_x(flat), shapely.get_y(flat)]))
    found: npt.NDArray[np.int64] = np.sort(tree.query_pairs(within_m, output_type="ndarray"), axis=1)
    return found[np.lexsort((found[:, 1], found[:, 0]))]


def neighbors(hazards: gpd.GeoDataFrame, *, within_m: float = 0.0) -> pd.DataFrame:
    """List pairs of hazards that touch or lie near each other, with distance and shared boundary.

    Parameters
    ----------
    hazards
        From `read_hazards`, in any CRS; needs ``hazard_id``.
    within_m
        How far apart the outlines may be, metres; 0 for hazards that touch or overlap.

    Returns
    -------
    pandas.DataFrame
        One row per pair: hazard_id, neighbor_id, distance_m (between outlines, 0 where they touch) and
        shared_m (length along which the two boundaries run together, 0 where they only meet or lie apart).
        ``attrs["notes"]`` says how many hazards have no geometry; they neighbor none.

    Raises
    ------
    DataError
        If hazard_id is missing, or within_m is negative.
    CRSError
        If the layer has no CRS.

    Notes
    -----
    Measured in the study CRS (see `ccm_geo.space`). Boundaries that lie more than 1 cm apart, because they
    were drawn twice, do not run together; give ``within_m`` then.

    Examples
    --------
    >>> squares = [shapely.box(105 + i / 1000, 15, 105 + (i + 1) / 1000, 15.001) for i in range(3)]
    >>> layer = gpd.GeoDataFrame({"hazard_id": list("abc")}, geometry=squares, crs="EPSG:4326")
    >>> neighbors(layer).round(0).values.tolist()
    [['a', 'b', 0.0, 111.0], ['b', 'c', 0.0, 111.0]]
    """
    if "hazard_id" not in hazards:
        raise DataError("neighbors: the hazards have no column 'hazard_id'")
    if not is_amount(within_m):
        raise DataError(f"neighbors: within_m must be metres of 0 or more, not {within_m!r}")
    shapes = space.project(hazards, space.study_crs(hazards)).to_numpy()
    blank = shapely.is_missing(shapes) | shapely.is_empty(shapes)
    tree = shapely.STRtree(shapes)
    a, b = tree.query(shapes, predicate="dwithin", distance=max(within_m, _TOUCH_M))
    a, b = a[a < b], b[a < b]
    order = np.lexsort((b, a))
    a, b = a[order], b[order]
    ids = hazards["hazard_id"].to_numpy()
    lines, grown = shapely.boundary(shapes), shapely.buffer(shapes, _TOUCH_M)
    shared = shapely.length(shapely.intersection(lines[a], grown[b]))
    table = pd.DataFrame(
        {
            "hazard_id": ids[a],
            "neighbor_id": ids[b],
            "distance_m": shapely.distance(shapes[a], shapes[b]),
            "shared_m": np.where(shared > _CORNER_M, shared, 0.0),
        }
    )
    text = f"{int(blank.sum()):,} hazards have no geometry; they neighbor none"
    rows = tuple(str(i) for i in ids[blank][:_SHOWN])
    table.attrs["notes"] = (Note("hazards", "unknown", text, int(blank.sum()), rows),) if blank.any() else ()
    return table
