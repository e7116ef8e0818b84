"""What looks wrong and may be right: told to the planner, changed by nobody."""

import geopandas as gpd
import numpy as np
import numpy.typing as npt
import pandas as pd
import shapely

from ccm_geo._threads import in_chunks
from ccm_geo.space import LONLAT, STACKED, lonlat_bounds, project, require_overlap, stacked_spots

from .findings import Findings

JUMP_M = 5_000.0  # GICHD's own check of hazard outlines
_OVERLAP_PAIRS = 30_000  # neighbours looked at; a larger table is looked at in part
_FEW = 20  # below this nothing is far from the others
_WHOLE_SHARE = 0.3


def on_hazards(layer: gpd.GeoDataFrame, metric: gpd.GeoSeries, found: Findings) -> None:
    """Tell of jumps, overlaps, repeated outlines and sizes that contradict the record."""
    _jumps(metric, found)
    _overlaps(metric, found)
    _same_outline(layer, found)
    if "area_recorded_m2" in layer.columns:
        _recorded_size(layer["area_recorded_m2"], layer["area_m2"], found)


def _jumps(metric: gpd.GeoSeries, found: Findings) -> None:
    box = metric.bounds.to_numpy()
    wide = np.flatnonzero(np.hypot(box[:, 2] - box[:, 0], box[:, 3] - box[:, 1]) > JUMP_M)
    rings, owner = shapely.get_rings(metric.to_numpy()[wide], return_index=True)
    points, ring = shapely.get_coordinates(rings, return_index=True)
    step = np.hypot(*np.diff(points, axis=0).T)
    far = (step > JUMP_M) & (np.diff(ring) == 0)
    jumping = np.unique(wide[owner[ring[:-1][far]]])
    if len(jumping):
        text = f"more than {JUMP_M / 1_000:g} km between two points of the outline: a point may be mistyped"
        found.note("advice", text, metric.index[jumping])


def _overlaps(metric: gpd.GeoSeries, found: Findings) -> None:
    shapes = metric.to_numpy()
    one, other = shapely.STRtree(shapes).query(shapes)
    one, other = one[(first := one < other)], other[first]
    some = len(one) > _OVERLAP_PAIRS
    if some:
        pick = np.linspace(0, len(one) - 1, _OVERLAP_PAIRS).astype(int)
        one, other = one[pick], other[pick]
    meet = in_chunks(_share_land, shapes[one], shapes[other])
    both = np.unique(np.concatenate([one[meet], other[meet]]))
    if len(both):
        least = "at least " if some else ""
        text = f"the area overlaps another ({least}{int(meet.sum()):,} pairs): totals count each person once"
        found.note("advice", text, metric.index[both])


def _share_land(one: npt.NDArray[np.object_], other: npt.NDArray[np.object_]) -> npt.NDArray[np.bool_]:
    """Tell which pairs meet in more than their borders, also where one lies in the other."""
    meet = shapely.intersects(one, other)
    meet[meet] = ~shapely.touches(one[meet], other[meet])
    return np.asarray(meet)


def _same_outline(layer: gpd.GeoDataFrame, found: Findings) -> None:
    alike = layer[layer["area_m2"].round(3).duplicated(keep=False).to_numpy()]
    alike = alike[alike.geometry.bounds.duplicated(keep=False).to_numpy()]
    if len(alike):
        drawn = pd.Series(shapely.to_wkb(shapely.normalize(alike.geometry.to_numpy())), alike.index)
        again = drawn.index[drawn.duplicated(keep=False)]
        if len(again):
            found.note("advice", "the same outline stands under several ids", again)


def _recorded_size(recorded: "pd.Series[float]", areas: "pd.Series[float]", found: Findings) -> None:
    ratio = areas / recorded.where(recorded > 0)
    apart = ratio.index[(ratio > 2) | (ratio < 0.5)]
    if not len(apart):
        return
    middle = float(ratio.median())
    hint = ""
    for unit, size in (("hectares", 1e4), ("square kilometres", 1e6)):
        if 0.5 < middle / size < 2:
            hint = f"; the recorded sizes look like {unit}: multiply them by {size:,.0f}"
    found.note("advice", f"measured and recorded area differ by more than a factor of 2{hint}", apart)


def on_points(layer: gpd.GeoDataFrame, found: Findings) -> None:
    """Tell of points that share a spot, as events at a municipal seat do."""
    spots = stacked_spots(layer.geometry.to_numpy())
    if spots.any():
        found.note(
            "advice",
            f"{STACKED} or more records share one position ({spots.max():,} such positions): it may be the "
            "seat of a municipality and not the place",
            layer.index[spots > 0],
        )


def on_strays(layer: gpd.GeoDataFrame, found: Findings) -> None:
    """Tell of records far from all others, and of a coordinate that looks like its sign is wrong."""
    xy = _middles(layer)
    known = np.isfinite(xy).all(axis=1)
    if known.sum() < _FEW:
        return
    low, high = np.quantile(xy[known], [0.05, 0.95], axis=0)
    span = 2 * np.maximum(high - low, 0.5)
    far = known & ((xy < low - span) | (xy > high + span)).any(axis=1)
    for at in np.flatnonzero(far):
        lon, lat = xy[at]
        home = f"longitude {low[0]:.1f} to {high[0]:.1f}, latitude {low[1]:.1f} to {high[1]:.1f}"
        sign = _wrong_sign(xy[at], low - span, high + span)
        cause = f"the sign of its {sign} looks wrong" if sign else "check its coordinates"
        spot = f"longitude {lon:.4f}, latitude {lat:.4f}"
        text = f"the record at {spot} is far from the others (most lie at {home}): {cause}"
        found.note("advice", text, layer.index[[at]])


def _middles(layer: gpd.GeoDataFrame) -> npt.NDArray[np.float64]:
    box = layer.geometry.bounds.to_numpy()
    middle = (box[:, :2] + box[:, 2:]) / 2
    if layer.crs == LONLAT:
        return middle
    return np.column_stack(_lonlat(middle, layer))


def _lonlat(middle: npt.NDArray[np.float64], layer: gpd.GeoDataFrame) -> list[npt.NDArray[np.float64]]:
    points = project(gpd.GeoSeries(gpd.points_from_xy(*middle.T), crs=layer.crs), LONLAT).to_numpy()
    return [shapely.get_x(points), shapely.get_y(points)]


def _wrong_sign(
    at: npt.NDArray[np.float64], low: npt.NDArray[np.float64], high: npt.NDArray[np.float64]
) -> str:
    for turn, name in (((-1, 1), "longitude"), ((1, -1), "latitude"), ((-1, -1), "longitude and latitude")):
        moved = at * turn
        if (moved >= low).all() and (moved <= high).all():
            return name
    return ""


def on_whole_population(people: "pd.Series[float]", found: Findings) -> None:
    """Tell of a record that holds so large a share of all people that it may be a total."""
    total = people.sum()
    if len(people) <= _FEW or total <= 0:
        return
    whole = people.index[people > _WHOLE_SHARE * total]
    if len(whole):
        share = people[whole].max() / total
        text = f"one record holds {share:.0%} of all people: is it a total? Then leave it out with where="
        found.note("advice", text, whole)


def on_admin(layer: gpd.GeoDataFrame, admin: gpd.GeoDataFrame, found: Findings) -> None:
    """Tell of points outside every administrative area; refuse layers that lie apart altogether."""
    ours, theirs = (lonlat_bounds(one.total_bounds, one.crs) for one in (layer, admin))
    require_overlap(ours, theirs, (found.table, "admin"))
    areas = project(admin, layer.crs).to_numpy()
    shapes = layer.geometry.to_numpy()
    inside = np.zeros(len(layer), dtype=bool)
    inside[np.unique(shapely.STRtree(areas).query(shapes, predicate="intersects")[0])] = True
    outside = layer.index[~inside & ~shapely.is_missing(shapes)]
    if len(outside):
        found.note("advice", "the point lies outside every administrative area given with admin=", outside)


def on_admin_codes(frame: pd.DataFrame, found: Findings) -> None:
    """Tell of areas that share a code, and of names that cannot tell areas apart."""
    for name, text in (
        ("code", "several areas share one code: they are joined where the code is looked up"),
        ("name", "several areas bear one name: join tables by code, never by name"),
    ):
        if name in frame.columns:
            again = frame[name].notna() & frame[name].duplicated(keep=False)
            if again.any():
                found.note("advice", text, frame.index[again])
