"""Sums of raster cells under areas, each cell counted by the share of it that an area covers.

By Green's theorem the sum over an area is a line integral along its outline: with the running sum of a
raster row from the left, ``F(x)``, it is the integral of ``F dy``. So the work follows the outline's
length, not its area. ``F`` is linear inside a cell, hence exact at the middle of each piece of an edge
that lies in one cell. Rasters are never resampled: outlines are moved into fractional pixel coordinates,
and because that map is affine the covered shares stay what they are, in a rotated raster too. Beyond the
edges of a tile ``F`` stands still, so the sums of tiles beside each other add up to the sum of the whole.
"""

import math
from typing import Any

from .kernels import compiled


@compiled
def running_sums(values: Any, nodata: float, weight: Any, sums: Any, counts: Any) -> int:
    """Fill running sums and counts from the left of each row; return how many cells are negative."""
    negative = 0
    tall, wide = weight.shape[0] > 1, weight.shape[1] > 1
    for i in range(values.shape[0]):
        total = 0.0
        seen = 0
        sums[i, 0] = 0.0
        counts[i, 0] = 0
        for j in range(values.shape[1]):
            value = float(values[i, j])
            if value != nodata and math.isfinite(value):
                if value >= 0.0:
                    total += value * weight[i if tall else 0, j if wide else 0]
                    seen += 1
                else:
                    negative += 1
            sums[i, j + 1] = total
            counts[i, j + 1] = seen
    return negative


@compiled
def add_inside(  # noqa: C901, PLR0912, PLR0913, PLR0917 - one compiled loop; calls with arrays cost more inside
    xy: Any, part: Any, sign: Any, area: Any, anchor: Any,
    sums: Any, counts: Any, row0: int, col0: int, total: Any, known: Any,
) -> None:  # fmt: skip
    """Add the line integral of the running sums along the outlines, as far as they lie in this tile.

    `anchor` is a column by area whose running sum is taken off, so that rounding stays the area's own size.
    """
    layers, height, width = sums.shape[0], sums.shape[1], sums.shape[2] - 1
    for m in range(len(area) - 1):
        j0 = anchor[m]
        for r in range(area[m], area[m + 1]):
            if sign[r] == 0.0:
                continue
            for v in range(part[r], part[r + 1] - 1):
                x0, y0 = xy[v, 0] - col0, xy[v, 1] - row0
                x1, y1 = xy[v + 1, 0] - col0, xy[v + 1, 1] - row0
                turn = sign[r]
                if y0 > y1:
                    x0, y0, x1, y1, turn = x1, y1, x0, y0, -turn
                if y0 == y1 or y1 <= 0.0 or y0 >= height:
                    continue
                slope = (x1 - x0) / (y1 - y0)
                low, high = min(x0, x1), max(x0, x1)
                for i in range(max(0, math.floor(y0)), min(height, math.ceil(y1))):
                    ya, yb = max(y0, i), min(y1, i + 1)
                    xa = min(max(x0 + (ya - y0) * slope, low), high)
                    xb = x1 if yb == y1 else min(max(x0 + (yb - y0) * slope, low), high)
                    if xa > xb:
                        xa, xb = xb, xa
                    dy = turn * (yb - ya)
                    span = xb - xa
                    x = xa
                    while True:  # one round per cell that this piece of the edge runs through
                        c = math.floor(x)
                        if c < 0:
                            stop = min(0.0, xb)
                        elif c >= width:
                            stop = xb
                        else:
                            stop = min(c + 1.0, xb)
                        piece = dy * ((stop - x) / span) if span > 0.0 else dy
                        if c < 0:
                            c, share = 0, 0.0
                        elif c >= width:
                            c, share = width - 1, 1.0
                        else:
                            share = 0.5 * (x + stop) - c
                        for k in range(layers):
                            here = sums[k, i, c]
                            total[m, k] += piece * (
                                here - sums[k, i, j0] + share * (sums[k, i, c + 1] - here)
                            )
                            here_n = counts[k, i, c]
                            known[m, k] += piece * (
                                here_n - counts[k, i, j0] + share * (counts[k, i, c + 1] - here_n)
                            )
                        if stop >= xb:
                            break
                        x = stop
