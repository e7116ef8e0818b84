"""Downstream over a raster of flow directions: each cell drains into one of its eight neighbors."""

from types import MappingProxyType
from typing import Any, TypeAlias

import geopandas as gpd
import numpy as np
import numpy.typing as npt
import rasterio
import shapely
from rasterio.features import rasterize
from rasterio.windows import Window

from ccm_geo import space
from ccm_geo.errors import SourceError
from ccm_geo.schemas import PopulationRaster

from .grids import cells

Floats: TypeAlias = npt.NDArray[np.float64]
Ints: TypeAlias = npt.NDArray[np.int64]
Mask: TypeAlias = npt.NDArray[np.bool_]

# (row, column) steps: east, northeast, north, northwest, west, southwest, south, southeast
_ROUND = ((0, 1), (-1, 1), (-1, 0), (-1, -1), (0, -1), (1, -1), (1, 0), (1, 1))
CODINGS = MappingProxyType(
    {
        "esri": dict(zip((1, 128, 64, 32, 16, 8, 4, 2), _ROUND, strict=True)),
        "taudem": dict(zip(range(1, 9), _ROUND, strict=True)),
        "grass": dict(zip((8, 1, 2, 3, 4, 5, 6, 7), _ROUND, strict=True)),
        "pcraster": dict(zip((6, 9, 8, 7, 4, 1, 2, 3), _ROUND, strict=True)),
    }
)
"""Number in the raster -> step in rows and columns, by the program that made it; all else ends the flow."""


def followed(
    flooded: gpd.GeoDataFrame, grid: PopulationRaster, *, max_m: float, steps: dict[int, tuple[int, int]]
) -> tuple[gpd.GeoDataFrame, Mask]:
    """Follow the flow from every cell of the hazards.

    Returns
    -------
    stretches, begun
        From cell to cell: ``hazard`` (row of the hazard upstream that is nearest along the water),
        ``from_m``, ``to_m`` and the line, in the CRS of the raster; and from which hazards water leads.
    """
    ours = space.lonlat_bounds(flooded.total_bounds, space.require_crs(flooded, "hazards"))
    space.require_overlap(
        ours, space.lonlat_bounds(grid.bounds, grid.crs), ("hazards", "flow"), reach_deg=0.0
    )
    shapes = space.project(flooded, grid.crs)
    net = _Net(grid, _window(shapes, grid, max_m), steps)
    owner = net.seeds(shapes.to_numpy())
    far = np.where(owner >= 0, 0.0, np.inf)
    front = np.flatnonzero(owner >= 0)
    while len(front):
        step = net.length(front)
        ahead, reached = net.next[front], far[front] + step
        on = (ahead >= 0) & (reached <= max_m)
        front, ahead, reached = front[on], ahead[on], reached[on]
        order = np.lexsort([reached, ahead])
        front, ahead, reached = front[order], ahead[order], reached[order]
        first = np.unique(ahead, return_index=True)[1]
        front, ahead, reached = front[first], ahead[first], reached[first]
        nearer = reached < far[ahead] - 1e-9
        front, ahead, reached = front[nearer], ahead[nearer], reached[nearer]
        far[ahead], owner[ahead] = reached, owner[front]
        front = ahead
    start = np.flatnonzero(np.isfinite(far) & (net.next >= 0))
    start = start[far[start] + net.length(start) <= max_m]
    begun = np.zeros(len(flooded), dtype=bool)
    begun[owner[start]] = True
    return net.lines(start, far, owner), begun


class _Net:
    """A window of the raster as cells in one row after the other, each with the cell it drains into."""

    def __init__(self, grid: PopulationRaster, window: Window, steps: dict[int, tuple[int, int]]) -> None:
        self.grid, self.window = grid, window
        self.high, self.wide = int(window.height), int(window.width)
        try:
            with rasterio.open(grid.path) as file:
                values, there = cells(file, grid, window)
        except rasterio.errors.RasterioIOError as error:
            raise SourceError(f"flow: the raster cannot be read: {error}") from error
        self.step = np.zeros((2, self.high * self.wide), dtype=np.int8)
        ends = np.ones(self.high * self.wide, dtype=bool)
        flat = np.where(there, values, 0).ravel()
        for code, (dr, dc) in steps.items():
            here = flat == code
            self.step[0, here], self.step[1, here], ends[here] = dr, dc, False
        down, right = self.step.reshape(2, self.high, self.wide)
        leaves = ends.reshape(self.high, self.wide)
        leaves[0] |= down[0] < 0
        leaves[-1] |= down[-1] > 0
        leaves[:, 0] |= right[:, 0] < 0
        leaves[:, -1] |= right[:, -1] > 0
        self.next = np.arange(len(flat)) + self.step[0].astype(np.int64) * self.wide + self.step[1]
        self.next[ends] = -1

    def seeds(self, shapes: npt.NDArray[Any]) -> Ints:
        """Give the hazard of every cell that one touches, -1 elsewhere."""
        some = [(shape, k + 1) for k, shape in enumerate(shapes) if shape is not None and not shape.is_empty]
        place = self.grid.transform @ self.grid.transform.translation(
            self.window.col_off, self.window.row_off
        )
        drawn = rasterize(
            some, out_shape=(self.high, self.wide), transform=place, all_touched=True, dtype="int32"
        )
        return drawn.ravel().astype(np.int64) - 1

    def length(self, at: Ints) -> Floats:
        """Give the way from cells to those they drain into, metres on the ground."""
        row, col = np.divmod(at, self.wide)
        dr, dc = self.step[:, at].astype(float)
        places = np.column_stack(
            [col + self.window.col_off + 0.5 + dc / 2, row + self.window.row_off + 0.5 + dr / 2]
        )
        a, b, c = space.ground_metric(self.grid.crs, self.grid.transform, places).T
        return np.asarray(np.hypot(a * dc + b * dr, c * dr))

    def lines(self, start: Ints, far: Floats, owner: Ints) -> gpd.GeoDataFrame:
        """Draw the way from cells to those they drain into."""
        ends = np.stack([self._middle(start), self._middle(self.next[start])], axis=1)
        return gpd.GeoDataFrame(
            {"hazard": owner[start], "from_m": far[start], "to_m": far[start] + self.length(start)},
            geometry=shapely.linestrings(ends),
            crs=self.grid.crs,
        )

    def _middle(self, at: Ints) -> Floats:
        row, col = np.divmod(at, self.wide)
        t = self.grid.transform
        x, y = col + self.window.col_off + 0.5, row + self.window.row_off + 0.5
        return np.column_stack([t.a * x + t.b * y + t.c, t.d * x + t.e * y + t.f])


def _window(shapes: gpd.GeoSeries, grid: PopulationRaster, max_m: float) -> Window:
    """Give the part of the raster that the flow can reach."""
    left, bottom, right, top = shapes.total_bounds
    corners = [~grid.transform @ (x, y) for x in (left, right) for y in (bottom, top)]
    cols, rows = (np.array(v) for v in zip(*corners, strict=True))
    middle = np.array([[cols.mean(), rows.mean()]])
    a, _, c = space.ground_metric(grid.crs, grid.transform, middle)[0]
    margin = 1.5 * max_m / min(a, c) + 2
    low = np.floor(np.array([cols.min(), rows.min()]) - margin).astype(int).clip(0)
    high = np.ceil(np.array([cols.max(), rows.max()]) + margin).astype(int)
    high = np.minimum(high, [grid.width, grid.height])
    return Window(int(low[0]), int(low[1]), int(high[0] - low[0]), int(high[1] - low[1]))
