"""How much reading with every check costs over the raw calls that read, repair, reproject and measure.

    python benchmarks/reading.py HAZARDS.gpkg [--runs 5]

The raw calls, on the same file:

1. ``pyogrio.read_dataframe(path, use_arrow=True)``, the fastest way to read it;
2. ``shapely.is_valid`` of every geometry;
3. ``shapely.make_valid`` of the invalid ones alone, with the method that `read_hazards` uses;
4. ``GeoSeries.to_crs`` to the study CRS, the same as `read_hazards`;
5. ``shapely.area`` of every geometry.

Both are run in turns, so that whatever else the machine does falls on both; medians after one run to warm
up. Processor time counts all threads.
"""

import argparse
import statistics
import time

import pyogrio
import shapely

from ccm_geo import space
from ccm_geo.io import read_hazards


def raw(path):
    layer = pyogrio.read_dataframe(path, use_arrow=True)
    shapes = layer.geometry.to_numpy().copy()
    bad = ~shapely.is_valid(shapes)
    shapes[bad] = shapely.make_valid(shapes[bad], method="structure", keep_collapsed=False)
    layer = layer.set_geometry(shapes, crs=layer.crs)
    flat = layer.geometry.to_crs(space.study_crs(layer))
    return layer.assign(area_m2=shapely.area(flat.to_numpy()))


def seconds(read, path):
    wall, processor = time.perf_counter(), time.process_time()
    rows = len(read(path))
    return time.perf_counter() - wall, time.process_time() - processor, rows


def main():
    ask = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ask.add_argument("path")
    ask.add_argument("--runs", type=int, default=5)
    given = ask.parse_args()
    raw(given.path)
    read_hazards(given.path)
    turns = [(seconds(raw, given.path), seconds(read_hazards, given.path)) for _ in range(given.runs)]
    print(f"{turns[0][0][2]:,} records read, {turns[0][1][2]:,} kept; medians of {given.runs}")
    for at, what in ((0, "seconds"), (1, "processor seconds")):
        bare, checked = (statistics.median(turn[who][at] for turn in turns) for who in (0, 1))
        ratio = statistics.median(turn[1][at] / turn[0][at] for turn in turns)
        print(f"{what}: raw calls {bare:.2f}, read_hazards {checked:.2f}, ratio {ratio:.2f}")


if __name__ == "__main__":
    main()
