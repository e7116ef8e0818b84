"""How much reading with every check costs over reading and make_valid alone.

    python benchmarks/reading.py HAZARDS.gpkg

Prints seconds of both and their ratio, the best of five runs each.
"""

import sys
import time

import pyogrio
import shapely

from ccm_geo.io import read_hazards


def plain(path):
    frame = pyogrio.read_dataframe(path)
    frame["geometry"] = shapely.make_valid(frame.geometry.to_numpy())
    return frame


def seconds(read, path):
    best = float("inf")
    for _ in range(5):
        start = time.perf_counter()
        read(path)
        best = min(best, time.perf_counter() - start)
    return best


def main():
    path = sys.argv[1]
    bare, checked = seconds(plain, path), seconds(read_hazards, path)
    print(f"read and make_valid {bare:.2f} s, read_hazards {checked:.2f} s, ratio {checked / bare:.2f}")


if __name__ == "__main__":
    main()
