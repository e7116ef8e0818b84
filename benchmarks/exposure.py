"""Time and memory of the exposure measures, as ratios against the usual tools in one run.

    python benchmarks/exposure.py COUNTRY [--runs 3]       # COUNTRY holds hazards.gpkg and population.tif
    python benchmarks/exposure.py --memory 40000 20000     # peak for a raster of 40,000 x 40,000 cells

Needs exactextract; rasterstats is timed where it is installed, on 500 areas. Seconds are medians of
the runs, after one run to warm up.
"""

import argparse
import importlib.util
import resource
import statistics
import sys
import tempfile
import time
from pathlib import Path

import geopandas as gpd
import numpy as np
import pyogrio
import pyproj
import rasterio
import shapely
from affine import Affine
from exactextract import exact_extract

from ccm_geo.exposure import people_in, people_near, people_reached
from ccm_geo.schemas import PopulationRaster

REACH_M = 1_000


def seconds(work, runs):
    """Give the median time and the last result."""
    result = work()
    taken = []
    for _ in range(runs):
        start = time.perf_counter()
        result = work()
        taken.append(time.perf_counter() - start)
    return statistics.median(taken), result


def population(path):
    with rasterio.open(path) as file:
        return PopulationRaster(
            path=str(path), crs=pyproj.CRS.from_user_input(file.crs), transform=file.transform,
            width=file.width, height=file.height, nodata=file.nodata,
        )  # fmt: skip


def decoded(path):
    with rasterio.open(path) as file:
        for row in range(0, file.height, 512):
            file.read(1, window=((row, min(row + 512, file.height)), (0, file.width)))


def extracted(path, areas):
    table = gpd.GeoDataFrame(geometry=areas)
    return exact_extract(path, table, "sum", output="pandas")["sum"].fillna(0).to_numpy()


def buffered(areas):
    return areas.to_crs(areas.estimate_utm_crs()).buffer(REACH_M).to_crs(areas.crs)


def by_rasterstats(path, areas, nodata):
    from rasterstats import zonal_stats  # noqa: PLC0415 - only where it is installed

    few = areas.iloc[:500]
    start = time.perf_counter()
    zonal_stats(few, path, stats="sum", nodata=nodata)
    return (time.perf_counter() - start) * len(areas) / len(few)


def line(name, mine, peer, decode):
    ratio = f"{peer / mine:8.1f}" if peer else " " * 8
    print(f"{name:44} {mine:9.2f} {peer or float('nan'):9.2f} {ratio} {mine / decode:8.1f}")


def compare(country, runs):
    raster = population(country / "population.tif")
    hazards = pyogrio.read_dataframe(country / "hazards.gpkg", columns=["hazard_id"])
    areas = hazards.set_geometry(hazards.geometry.make_valid()).geometry
    areas = areas[areas.geom_type.isin(["Polygon", "MultiPolygon"])].reset_index(drop=True)
    print(f"{len(areas)} areas, {raster.width} x {raster.height} cells, {runs} runs")
    print(f"{'':44} {'ccm_geo s':>9} {'peer s':>9} {'ratio':>8} {'/decode':>8}")
    decode, _ = seconds(lambda: decoded(raster.path), runs)
    print(f"{'reading the raster':44} {decode:9.2f}")
    mine, inside = seconds(lambda: people_in(areas, raster), runs)
    peer, other = seconds(lambda: extracted(raster.path, areas), runs)
    line("inside, against exactextract", mine, peer, decode)
    off = np.abs(np.nan_to_num(inside) - other) / np.maximum(other, 1e-3)
    print(f"   largest difference {off.max():.1e} of an area's people")
    if importlib.util.find_spec("rasterstats"):
        line(
            "inside, against rasterstats (scaled up)",
            mine,
            by_rasterstats(raster.path, areas, raster.nodata),
            decode,
        )
    near, found = seconds(lambda: people_near(areas, raster, within_m=REACH_M), runs)
    drawing, drawn = seconds(lambda: buffered(areas), 1)
    peer, other = seconds(lambda: extracted(raster.path, drawn), runs)
    line("within 1 km, against buffers + exactextract", near, drawing + peer, decode)
    line("within 1 km, against exactextract alone", near, peer, decode)
    some = other > 1
    off = np.abs(found.to_numpy() - other)[some] / other[some]
    print(f"   difference: median {np.median(off):.2%}, 95th percentile {np.quantile(off, 0.95):.2%}")
    once, total = seconds(lambda: people_reached(areas, raster, within_m=REACH_M), runs)
    start = time.perf_counter()
    union = gpd.GeoSeries([shapely.disjoint_subset_union_all(drawn.to_numpy())], crs=drawn.crs)
    other = extracted(raster.path, union)[0]
    line("everyone once within 1 km, against union", once, drawing + time.perf_counter() - start, decode)
    print(f"   difference: {abs(total - other) / other:.2%} of {other:,.0f}")


def memory(cells, count):
    """Make a large raster and report the peak memory of measuring on it."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "large.tif"
        transform = Affine(1 / 1200, 0, 10, 0, -1 / 1200, 40)
        rng = np.random.default_rng(0)
        with rasterio.open(
            path, "w", driver="GTiff", width=cells, height=cells, count=1, dtype="float32",
            crs="EPSG:4326", transform=transform, tiled=True, blockxsize=256, blockysize=256,
            compress="deflate", nodata=-99_999, bigtiff="if_safer",
        ) as out:  # fmt: skip
            for row in range(0, cells, 256):
                rows = min(256, cells - row)
                block = np.floor(rng.random((rows, cells), dtype=np.float32) * 20)
                out.write(block, 1, window=((row, row + rows), (0, cells)))
        span = cells / 1200
        spots = shapely.points(rng.uniform([10, 40 - span], [10 + span, 40], (count, 2)))
        areas = gpd.GeoSeries(shapely.buffer(spots, rng.uniform(0.0005, 0.01, count)), crs="EPSG:4326")
        print(f"{cells} x {cells} cells, {count} areas; peak before {peak_gb():.2f} GB")
        raster = population(path)
        taken = []
        for within_m in (0, REACH_M):
            start = time.perf_counter()
            people_near(areas, raster, within_m=within_m)
            taken.append(time.perf_counter() - start)
            print(f"within {within_m} m: {taken[-1]:.1f} s, peak {peak_gb():.2f} GB")
        start = time.perf_counter()
        decoded(path)  # last, as it fills GDAL's cache
        decode = time.perf_counter() - start
        inside, near = (t / decode for t in taken)
        print(f"decoding {decode:.1f} s: inside {inside:.2f} x that, within {near:.2f} x")


def peak_gb():
    unit = 1 if sys.platform == "darwin" else 1024  # bytes on macOS, KiB elsewhere
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e9


def main():
    ask = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ask.add_argument("country", type=Path, nargs="?")
    ask.add_argument("--runs", type=int, default=3)
    ask.add_argument("--memory", type=int, nargs=2, metavar=("CELLS", "AREAS"))
    a = ask.parse_args()
    if a.memory:
        memory(*a.memory)
    elif a.country:
        compare(a.country, a.runs)
    else:
        ask.error("give a COUNTRY or --memory CELLS AREAS")


if __name__ == "__main__":
    main()
