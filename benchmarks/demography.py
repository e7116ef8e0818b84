"""Time and memory of spreading district totals over a raster and over settlements.

    python benchmarks/demography.py COUNTRY      # holds districts.gpkg, population.tif and settlements.gpkg

Prints processor seconds as a multiple of decoding and writing the same raster, and the peak of memory.
"""

import argparse
import resource
import tempfile
import time
from pathlib import Path

import numpy as np
import rasterio

from ccm_geo.demography import split_people
from ccm_geo.io import read_admin, read_population

ROWS = 256


def copied(path, out):
    """Read a raster and write it again, in the form that split_people writes."""
    with rasterio.open(path) as file:
        form = {"driver": "GTiff", "compress": "deflate", "predictor": 3, "tiled": True, "interleave": "band"}
        with rasterio.open(out, "w", **{**file.profile, **form}) as again:
            for row in range(0, file.height, ROWS):
                window = ((row, min(row + ROWS, file.height)), (0, file.width))
                again.write(file.read(1, window=window), 1, window=window)


def seconds(work):
    start = time.process_time()
    found = work()
    return time.process_time() - start, found


def main():
    ask = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ask.add_argument("country", type=Path)
    country = ask.parse_args().country
    districts = read_admin(country / "districts.gpkg")
    districts["people"] = np.random.default_rng(1).uniform(1e3, 1e5, len(districts))
    raster, villages = (read_population(country / name) for name in ("population.tif", "settlements.gpkg"))
    with tempfile.TemporaryDirectory() as folder:
        bare, _ = seconds(lambda: copied(raster.path, Path(folder) / "copy.tif"))
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
        mine, split = seconds(lambda: split_people(districts, raster, path=Path(folder) / "split.tif"))
        after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
        with rasterio.open(split.path) as file:
            total = float(file.read(1, masked=True).filled(0).astype(float).sum())
    print(f"{raster.width} x {raster.height} cells, {len(districts)} districts: copy {bare:.1f} s")
    print(f"split_people {mine:.1f} s, {mine / bare:.1f} x; peak {after:.2f} GB, {before:.2f} before")
    print(f"sum of cells off by {total / districts['people'].sum() - 1:.1e} of the totals")
    taken, _ = seconds(lambda: split_people(districts, villages))
    print(f"over {len(villages):,} settlements {taken:.2f} s")


if __name__ == "__main__":
    main()
