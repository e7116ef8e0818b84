"""Data on their way into the page: whole numbers in byte planes, packed once, written as base64.

An outline is a run of whole numbers, hundred-thousandths of a degree (about one metre), each told as the
difference from the one before. A column's numbers are written plane by plane (all lowest bytes first), so
that gzip finds the long runs of zero bytes. Twenty thousand areas take about 2 MB this way; as GeoJSON they
take 20. The page reads them back with ``ccm.unpack`` in ``layer.js``.
"""

import base64
import gzip
import html
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import geopandas as gpd
import numpy as np
import numpy.typing as npt
import pandas as pd
import shapely

from ccm_geo.space import to_lonlat

Ints = npt.NDArray[np.int64]

UNITS_PER_DEGREE = 100_000
MISSING = -(2**31)
"""Stands for a number that is not known."""
_PEAK = 2**31 - 2
_SIMPLER_DEG = 4.5e-5  # about 5 m: below the accuracy of most recorded turning points
_POLYGON = 3
_TRIANGLE = 4  # corners of the smallest ring, the last being the first
_COLLECTION = 7


@dataclass(frozen=True, kw_only=True)
class Column:
    """Whole numbers on their way into the page.

    Parameters
    ----------
    numbers
        Whole numbers, at most 31 bits.
    step
        What one of them is worth; 0.01 for a number told to two decimals.
    delta
        Whether each is told as the difference from the one before.
    """

    numbers: Ints
    step: float = 1.0
    delta: bool = False


@dataclass(frozen=True, kw_only=True)
class Scene:
    """What a page shows besides a planner's own layers.

    Parameters
    ----------
    content
        Texts, names and settings, as JSON.
    columns
        Numbers by name.
    pictures
        PNG files by name.
    frame
        HTML before and after the map.
    """

    content: Mapping[str, Any]
    columns: Mapping[str, Column]
    pictures: Mapping[str, bytes] = field(default_factory=dict)
    frame: tuple[str, str] = ("", "")

    def element(self) -> str:
        """Give the data as an element that no browser runs and no template reads."""
        return f'<script type="application/octet-stream" id="ccm-data">{packed(self)}</script>\n'


def packed(scene: Scene) -> str:
    """Pack a scene: length of the JSON (4 bytes), the JSON, the planes; gzip; base64."""
    index: dict[str, list[float]] = {}
    pieces: list[bytes] = []
    at = 0
    for name, column in scene.columns.items():
        planes = _planes(column)
        index[name] = [at, len(column.numbers), column.step, int(column.delta)]
        pieces.append(planes)
        at += len(planes)
    pictures = {}
    for name, picture in scene.pictures.items():
        pictures[name] = [at, len(picture)]
        pieces.append(picture)
        at += len(picture)
    content = {**scene.content, "columns": index, "pictures": pictures}
    head = json.dumps(content, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    told = head.encode("utf-8", "replace")
    whole = b"".join([len(told).to_bytes(4, "little"), told, *pieces])
    return base64.b64encode(gzip.compress(whole, compresslevel=6, mtime=0)).decode("ascii")


def _planes(column: Column) -> bytes:
    values = column.numbers.astype(np.int64)
    if column.delta:
        values = np.diff(values, prepend=np.int64(0))
    folded = np.where(values >= 0, 2 * values, -2 * values - 1).astype("<u4")  # small numbers of either sign
    return np.ascontiguousarray(folded.view(np.uint8).reshape(-1, 4).T).tobytes()


def measured(values: npt.ArrayLike, *, digits: int = 0) -> Column:
    """Turn measures into a column, rounded to so many decimals; unknown stays unknown.

    Fewer decimals are kept where the numbers would not fit otherwise.

    Examples
    --------
    >>> measured([1.25, float("nan")], digits=1).numbers.tolist()
    [12, -2147483648]
    """
    numbers = np.asarray(values, dtype=float)
    known = np.isfinite(numbers)
    largest = np.abs(numbers[known]).max(initial=0.0)
    while largest * 10.0**digits > _PEAK:
        digits -= 1
    whole = np.where(known, np.round(np.where(known, numbers, 0.0) * 10.0**digits), MISSING)
    return Column(numbers=whole.astype(np.int64), step=10.0**-digits)


def coded(values: Iterable[Any]) -> tuple[list[str], Column]:
    """Turn texts into a list of different texts and a column of places in it; -1 where there is none.

    Examples
    --------
    >>> words, places = coded(["SHA", None, "CHA", "SHA"])
    >>> words, places.numbers.tolist()
    (['SHA', 'CHA'], [0, -1, 1, 0])
    """
    given = pd.Series(list(values), dtype=object)
    told = np.empty(len(given), dtype=object)  # not a text column: those refuse some texts
    told[:] = [None if blank else str(value) for value, blank in zip(given, given.isna(), strict=True)]
    places, known = pd.factorize(told)
    return [str(value) for value in known], Column(numbers=places.astype(np.int64))


def degrees(values: npt.ArrayLike, *, delta: bool = False) -> Column:
    """Turn degrees into a column of hundred-thousandths; unknown stays unknown."""
    numbers = np.asarray(values, dtype=float)
    known = np.isfinite(numbers)
    whole = np.where(known, np.round(np.where(known, numbers, 0.0) * UNITS_PER_DEGREE), MISSING)
    return Column(numbers=whole.astype(np.int64), step=1 / UNITS_PER_DEGREE, delta=delta)


def polygons(layer: gpd.GeoDataFrame | gpd.GeoSeries) -> tuple[npt.NDArray[np.object_], Ints]:
    """Give the single polygons of a layer as longitude and latitude, and the row of each.

    Lines and points, also those inside collections, have no outline and are left out.
    """
    geometry = to_lonlat(layer).to_numpy()
    parts, rows = shapely.get_parts(geometry, return_index=True)
    while (shapely.get_type_id(parts) > _POLYGON).any():  # a collection may hold collections
        inner, which = shapely.get_parts(parts, return_index=True)
        parts, rows = inner, rows[which]
    area = (shapely.get_type_id(parts) == _POLYGON) & ~shapely.is_empty(parts)
    return parts[area], rows[area]


def outlines(
    layer: gpd.GeoDataFrame | gpd.GeoSeries, *, simpler_deg: float = _SIMPLER_DEG
) -> dict[str, Column]:
    """Turn a layer of areas into columns: rings of each row, points of each ring, x and y of each point.

    Parameters
    ----------
    layer
        Polygons in any CRS. A row without one has no rings.
    simpler_deg
        How far, in degrees, a simplified outline may lie from the recorded one. No area is dropped.
    """
    areas, rows = polygons(layer)
    rings, part = shapely.get_rings(areas, return_index=True)
    simpler = shapely.simplify(rings, simpler_deg, preserve_topology=False)
    collapsed = shapely.get_num_coordinates(simpler) < _TRIANGLE
    return ringed(np.where(collapsed, rings, simpler), rows[part], len(layer))


def ringed(rings: npt.NDArray[np.object_], rows: Ints, count: int) -> dict[str, Column]:
    """Turn rings or lines, in the order of their rows, into columns."""
    xy, of_ring = shapely.get_coordinates(rings, return_index=True)
    told = np.round(xy * UNITS_PER_DEGREE).astype(np.int64)
    fresh = np.ones(len(told), dtype=bool)
    fresh[1:] = (np.diff(told, axis=0) != 0).any(axis=1) | (np.diff(of_ring) != 0)
    told, of_ring = told[fresh], of_ring[fresh]
    step = 1 / UNITS_PER_DEGREE
    return {
        "rings": Column(numbers=np.bincount(rows, minlength=count).astype(np.int64)),
        "points": Column(numbers=np.bincount(of_ring, minlength=len(rings)).astype(np.int64)),
        "x": Column(numbers=told[:, 0], step=step, delta=True),
        "y": Column(numbers=told[:, 1], step=step, delta=True),
    }


def text(value: object) -> str:
    """Escape any text for a place between tags or inside a quoted attribute."""
    return html.escape(str(value), quote=True)
