"""A plain picture of the map, for viewers that run no script."""

from collections.abc import Callable

import numpy as np

from ccm_geo.maps.payload import MISSING, Column
from ccm_geo.maps.picture import Box
from ccm_geo.maps.scene import Floats, Parts

Placed = Callable[[Floats, Floats], tuple[Floats, Floats]]

_WIDE = 640  # pixels
_DOTS = 800
_CORNERS = 4_000


def sketch(parts: Parts, box: Box) -> str:
    """Draw districts and important areas, at most some hundreds, as an SVG picture; all of it is numbers."""
    squeeze = np.cos(np.radians((box[1] + box[3]) / 2))
    scale = _WIDE / ((box[2] - box[0]) * squeeze)
    height = (box[3] - box[1]) * scale

    def placed(lon: Floats, lat: Floats) -> tuple[Floats, Floats]:
        return (lon - box[0]) * squeeze * scale, (box[3] - lat) * scale

    drawn = _outlines(parts, placed) + _dots(parts, placed)
    label = parts.content["words"]["map"].replace("&", "&amp;").replace("<", "&lt;").replace('"', "&quot;")
    view = f'viewBox="0 0 {_WIDE} {height:.0f}" role="img" aria-label="{label}"'
    return f'<svg class="ccm-sketch" {view}>{drawn}</svg>'


def _degrees(column: Column) -> Floats:
    return np.where(column.numbers == MISSING, np.nan, column.numbers * column.step)


def _outlines(parts: Parts, placed: Placed) -> str:
    if "district_x" not in parts.columns:
        return ""
    x, y = placed(*(_degrees(parts.columns[f"district_{axis}"]) for axis in "xy"))
    ends = np.cumsum(parts.columns["district_points"].numbers)
    step = max(1, len(x) // _CORNERS)
    paths = []
    for start, end in zip([0, *ends[:-1]], ends, strict=True):
        corners = np.r_[start:end:step] if end - start > 3 * step else np.r_[start:end]
        paths.append("M" + "L".join(f"{x[i]:.0f} {y[i]:.0f}" for i in corners) + "Z")
    return f'<path d="{"".join(paths)}" fill="#fbfaf7" stroke="#9aa1aa" stroke-width="0.8"/>'


def _dots(parts: Parts, placed: Placed) -> str:
    x, y = placed(*(_degrees(parts.columns[f"hazard_{axis}"]) for axis in ("lon", "lat")))
    view, codes = parts.content["views"][0], parts.columns["view_0"].numbers
    focus = np.array([entry["focus"] for entry in view["entries"]])
    known = np.flatnonzero(np.isfinite(x) & focus[codes])
    thinned = known[:: max(1, -(-len(known) // _DOTS))]
    shown = thinned[np.argsort(-codes[thinned], kind="stable")]
    return "".join(
        f'<circle cx="{x[i]:.0f}" cy="{y[i]:.0f}" r="3" fill="{view["entries"][codes[i]]["color"]}" '
        'stroke="#33242f" stroke-width="0.6"/>'
        for i in shown
    )
