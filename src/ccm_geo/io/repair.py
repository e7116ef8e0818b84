"""Mending geometry and records: what can be mended is, what cannot is set aside, and all of it is counted."""

import geopandas as gpd
import numpy as np
import numpy.typing as npt
import pandas as pd
import shapely

from ccm_geo._columns import Table, plain
from ccm_geo._threads import in_chunks
from ccm_geo.space import project, study_crs

from .findings import Findings

Shapes = npt.NDArray[np.object_]

SLIVER_M2 = 1.0
"""Smallest area that counts, square metres: less is what is left of a line drawn twice."""

_SURROGATES = frozenset(("objectid", "fid", "ogcfid", "gid", "globalid", "oid"))
_DIMENSION = {"Point": 0, "LineString": 1, "Polygon": 2}
_COLLECTION = shapely.GeometryType.GEOMETRYCOLLECTION


def with_places(layer: gpd.GeoDataFrame, found: Findings, *, needed: bool) -> gpd.GeoDataFrame:
    """Set records without geometry aside (or keep them, where places are not `needed`)."""
    shapes = layer.geometry.to_numpy()
    null = shapely.is_missing(shapes)
    empty = ~null & shapely.is_empty(shapes)
    if not needed:
        return layer if not empty.any() else layer.set_geometry(np.where(empty, None, shapes))
    for mask, what in (
        (null, "there is no geometry"),
        (empty, "the geometry is empty, of fewer points than it needs"),
    ):
        if mask.any():
            found.mend("set aside", what, layer.index[mask])
    gone = null | empty
    return layer[~gone] if gone.any() else layer


def flat(layer: gpd.GeoDataFrame, found: Findings) -> gpd.GeoDataFrame:
    """Drop heights."""
    tall = shapely.has_z(layer.geometry.to_numpy())
    if not tall.any():
        return layer
    found.note("dropped", f"heights (Z values) of {int(tall.sum()):,} geometries")
    return layer.set_geometry(
        gpd.GeoSeries(shapely.force_2d(layer.geometry.to_numpy()), layer.index, layer.crs)
    )


def of_kind(layer: gpd.GeoDataFrame, spec: Table, found: Findings) -> gpd.GeoDataFrame:
    """Bring geometry to the kinds that the table holds: parts out of collections, a point for an area."""
    shapes = layer.geometry.to_numpy().copy()
    wanted = {_DIMENSION[kind] for kind in spec.shapes}
    _open_collections(shapes, wanted, layer.index, found)
    dimension = shapely.get_dimensions(shapes)
    if wanted == {0}:
        _to_points(shapes, dimension, layer.index, found)
        dimension = shapely.get_dimensions(shapes)
    if 0 in wanted:
        shapes = _single_points(shapes)
    fits = np.isin(dimension, list(wanted)) | shapely.is_missing(shapes)
    if not fits.all():
        kinds = sorted(set(layer.geometry[~fits].geom_type))
        found.mend(
            "set aside",
            f"a {' or '.join(spec.shapes)} is needed, not a {' or '.join(kinds)}",
            layer.index[~fits],
        )
    return layer.set_geometry(gpd.GeoSeries(shapes, layer.index, layer.crs))[fits]


def _open_collections(shapes: Shapes, wanted: set[int], index: pd.Index, found: Findings) -> None:
    """Reduce geometry collections, in place, to their parts of the highest kind that is wanted."""
    mixed = np.flatnonzero(shapely.get_type_id(shapes) == _COLLECTION)
    mended: list[int] = []
    for at in mixed.tolist():
        parts = _leaves(shapes[at])
        for dimension in sorted(wanted, reverse=True):
            kept = [part for part in parts if shapely.get_dimensions(part) == dimension]
            if kept:
                shapes[at] = kept[0] if len(kept) == 1 else _GATHER[dimension](kept)
                mended.append(at)
                break
    if mended:
        text = "a collection of geometries is reduced to its parts of the right kind"
        found.mend("repaired", text, index[mended])


def _leaves(shape: shapely.Geometry) -> list[shapely.Geometry]:
    parts = list(shapely.get_parts(shape))
    return [
        leaf
        for part in parts
        for leaf in (_leaves(part) if hasattr(part, "geoms") else [part])
        if not leaf.is_empty
    ]


_GATHER = {0: shapely.multipoints, 1: shapely.multilinestrings, 2: shapely.multipolygons}


def _to_points(shapes: Shapes, dimension: npt.NDArray[np.int32], index: pd.Index, found: Findings) -> None:
    drawn = dimension > 0
    if drawn.any():
        shapes[drawn] = shapely.point_on_surface(shapely.make_valid(shapes[drawn]))
        found.note("assumed", "an area or line is taken as one point inside it", index[drawn])


def _single_points(shapes: Shapes) -> Shapes:
    """Turn a multipoint of one point into that point, of several into the middle one."""
    several = shapely.get_type_id(shapes) == shapely.GeometryType.MULTIPOINT
    shapes[several] = shapely.point_on_surface(shapes[several])
    return shapes


def valid(layer: gpd.GeoDataFrame, found: Findings) -> gpd.GeoDataFrame:
    """Make polygons valid and turn their shells counter-clockwise.

    Land inside any ring that is drawn stays inside: a loop drawn twice over does not become a hole, as it
    does with the even-odd rule. Suspected land must not get lost by a repair.
    """
    shapes = layer.geometry.to_numpy().copy()
    areal = shapely.get_dimensions(shapes) == 2
    bad = areal & ~in_chunks(shapely.is_valid, shapes)
    if bad.any():
        shapes[bad] = shapely.make_valid(shapes[bad], method="structure", keep_collapsed=False)
    gone = areal & shapely.is_empty(shapes)
    mended = layer.index[bad & ~gone]
    if len(mended):
        found.mend(
            "repaired", "an invalid polygon (its outline crosses or touches itself) is made valid", mended
        )
    if gone.any():
        found.mend(
            "set aside",
            "the outline encloses nothing: fewer than 3 points, or all on a line",
            layer.index[gone],
        )
    shapes[areal] = shapely.orient_polygons(shapes[areal])
    return layer.set_geometry(gpd.GeoSeries(shapes, layer.index, layer.crs))[~gone]


def sized(layer: gpd.GeoDataFrame, found: Findings) -> tuple[gpd.GeoDataFrame, gpd.GeoSeries]:
    """Set slivers aside; give the layer with its ``area_m2``, and its geometry in metres."""
    metric = project(layer, study_crs(layer))
    layer = layer.assign(area_m2=shapely.area(metric.to_numpy()))
    sliver = (layer["area_m2"] < SLIVER_M2).to_numpy()
    if not sliver.any():
        return layer, metric
    found.mend("set aside", f"a sliver: less than {SLIVER_M2:g} m2", layer.index[sliver])
    return layer[~sliver], metric[~sliver]


def buffered(layer: gpd.GeoDataFrame, radius_m: float, found: Findings) -> gpd.GeoDataFrame:
    """Turn points and lines into areas of that radius, metres on the ground."""
    shapes = layer.geometry.to_numpy().copy()
    thin = np.isin(shapely.get_dimensions(shapes), (0, 1))
    if not thin.any():
        return layer
    drawn = layer.geometry[thin]
    around = gpd.GeoSeries(
        shapely.buffer(project(drawn, study_crs(layer)).to_numpy(), radius_m), drawn.index, study_crs(layer)
    )
    shapes[thin] = project(around, layer.crs).to_numpy()
    text = f"a point or line is drawn as an area of {radius_m:g} m around it, as radius_m= says"
    found.note("assumed", text, drawn.index)
    return layer.set_geometry(gpd.GeoSeries(shapes, layer.index, layer.crs))


def without_repeats(frame: pd.DataFrame, key: str, found: Findings, repeats: str | None) -> pd.DataFrame:
    """Drop records repeated in full, or keep and count them.

    Without an id and at a single point, two accidents and one accident written twice look the same; there
    they are kept unless `repeats` is ``drop``.
    """
    again = _repeated(frame, key)
    if not again.any():
        return frame
    index = frame.index[again]
    sure = key in frame.columns or _has_areas(frame)
    if repeats == "drop" or (repeats is None and sure):
        found.mend("dropped", "the record repeats an earlier one in full", index)
        return frame[~again]
    found.note(
        "advice",
        "the record repeats an earlier one in full; kept, since nothing tells one written twice from two: "
        "read with repeats='drop' if each should count once",
        index,
    )
    return frame


def _has_areas(frame: pd.DataFrame) -> bool:
    if not isinstance(frame, gpd.GeoDataFrame):
        return False
    return bool((shapely.get_dimensions(frame.geometry.to_numpy()) > 0).any())


def _repeated(frame: pd.DataFrame, key: str) -> npt.NDArray[np.bool_]:
    """Find records equal to an earlier one in everything but a database's own row number."""
    named = key in frame.columns
    spare = [name for name in frame.columns if named and name != key and plain(name) in _SURROGATES]
    rest = pd.DataFrame(frame.drop(columns=[*spare, "geometry"], errors="ignore"))
    for name in rest.columns[[pd.api.types.is_object_dtype(dtype) for dtype in rest.dtypes]]:
        rest[name] = rest[name].astype(str)
    alike = (rest[[key]] if named else rest).duplicated(keep=False).to_numpy() | (rest.shape[1] == 0)
    rest = rest[alike]
    if isinstance(frame, gpd.GeoDataFrame):
        rest["geometry"] = pd.factorize(shapely.to_wkb(frame.geometry.to_numpy()[alike]))[0]
    again = np.zeros(len(frame), dtype=bool)
    again[alike] = rest.duplicated().to_numpy()
    return again


def with_ids(frame: pd.DataFrame, key: str, found: Findings, *, unique: bool) -> pd.DataFrame:
    """Make ids from record numbers where there are none, and apart where two records share one."""
    if not key:
        return frame
    if key not in frame.columns:
        ids = [f"row-{row}" for row in found.rows(frame.index)]
        found.note(
            "assumed",
            f"there is no {key}: made from the number of the record, such as {ids[0] if ids else 'row-1'}",
        )
        frame = frame.copy()
        frame.insert(0, key, pd.array(ids, dtype="str"))
        return frame
    again = frame[key].duplicated() & frame[key].notna()
    if not (unique and again.any()):
        return frame
    fresh, taken = frame[key].copy(), set(frame[key].dropna())
    for at in frame.index[again]:
        number = 2
        while f"{frame[key][at]} ({number})" in taken:
            number += 1
        fresh[at] = f"{frame[key][at]} ({number})"
        taken.add(fresh[at])
    found.mend(
        "repaired", f"the {key} repeats with other content; told apart as '... (2)'", frame.index[again]
    )
    return frame.assign(**{key: fresh})
