"""Time and memory of the exposure measures, as ratios against the usual tools in one run.

    python benchmarks/exposure.py COUNTRY [--runs 3]       # COUNTRY holds hazards.gpkg and population.tif
    python benchmarks/exposure.py COUNTRY --only inside together workers
    python benchmarks/exposure.py --memory 40000 20000     # peak for a raster of 40,000 x 40,000 cells
    python benchmarks/exposure.py --growth                 # how time grows with areas, cells, people

Needs exactextract. rasterstats is timed on 500 areas, where `--rasterstats PYTHON` names an interpreter
that has it. Seconds are medians of the runs, after one run to warm up.
"""

import argparse
import multiprocessing
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
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

DISTANCES = (0, 100, 500, 1_000)
GROUPS = ("women", "girls", "boys", "men", "old")
REACH_M = 1_000


def seconds(work, runs, *, warm=True):
    """Give the median time and the last result."""
    result = work() if warm else None
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


_STATS = """
import sys, time, geopandas as gpd, rasterstats
areas = gpd.read_file(sys.argv[1], rows=slice(0, 500))
areas = areas.set_geometry(areas.geometry.make_valid())
areas = areas[areas.geom_type.isin(["Polygon", "MultiPolygon"])]
rasterstats.zonal_stats(areas.iloc[:5], sys.argv[2], stats="sum")
start = time.perf_counter()
rasterstats.zonal_stats(areas, sys.argv[2], stats="sum")
print((time.perf_counter() - start) / len(areas))
"""


def by_rasterstats(python, country):
    """Seconds for one area."""
    found = subprocess.run(
        [python, "-W", "ignore", "-c", _STATS, country / "hazards.gpkg", country / "population.tif"],
        check=True, capture_output=True, text=True,
    )  # fmt: skip
    return float(found.stdout)


def line(name, mine, peer, decode):
    ratio = f"{peer / mine:8.1f}" if peer else " " * 8
    print(f"{name:48} {mine:9.2f} {peer or float('nan'):9.2f} {ratio} {mine / decode:8.2f}", flush=True)


def compare(country, runs, only, python):
    raster = population(country / "population.tif")
    hazards = pyogrio.read_dataframe(country / "hazards.gpkg", columns=["hazard_id"])
    areas = hazards.set_geometry(hazards.geometry.make_valid()).geometry
    areas = areas[areas.geom_type.isin(["Polygon", "MultiPolygon"])].reset_index(drop=True)
    print(f"{len(areas)} areas, {raster.width} x {raster.height} cells, {runs} runs")
    print(f"{'':48} {'ccm_geo s':>9} {'peer s':>9} {'ratio':>8} {'/decode':>8}")
    decode, _ = seconds(lambda: decoded(raster.path), runs)
    print(f"{'reading the raster':48} {decode:9.2f}")
    for name, case in (("inside", inside), ("near", near), ("together", together), ("workers", workers)):
        if not only or name in only:
            case(areas, raster, decode, runs)
    if python and (not only or "inside" in only):
        mine, _ = seconds(lambda: people_in(areas, raster), runs)
        line(
            "inside, against rasterstats (scaled up)",
            mine,
            by_rasterstats(python, country) * len(areas),
            decode,
        )


def inside(areas, raster, decode, runs):
    mine, found = seconds(lambda: people_in(areas, raster), runs)
    again, _ = seconds(lambda: decoded(raster.path), runs)  # as near in time as may be: the machine is shared
    peer, other = seconds(lambda: extracted(raster.path, areas), runs, warm=False)
    line("inside, against exactextract", mine, peer, (decode + again) / 2)
    off = np.abs(np.nan_to_num(found) - other) / np.maximum(other, 1e-3)
    print(f"   largest difference {off.max():.1e} of an area's people")


def near(areas, raster, decode, runs):
    mine, found = seconds(lambda: people_near(areas, raster, within_m=REACH_M), runs)
    drawing, drawn = seconds(lambda: buffered(areas), 1, warm=False)
    peer, other = seconds(lambda: extracted(raster.path, drawn), 1, warm=False)
    line("within 1 km, against buffers + exactextract", mine, drawing + peer, decode)
    line("within 1 km, against exactextract alone", mine, peer, decode)
    some = other > 1
    off = np.abs(found.to_numpy() - other)[some] / other[some]
    print(f"   difference: median {np.median(off):.2%}, 95th percentile {np.quantile(off, 0.95):.2%}")
    once, total = seconds(lambda: people_reached(areas, raster, within_m=REACH_M), runs)
    start = time.perf_counter()
    union = gpd.GeoSeries([shapely.disjoint_subset_union_all(drawn.to_numpy())], crs=drawn.crs)
    other = extracted(raster.path, union)[0]
    line("everyone once within 1 km, against union", once, drawing + time.perf_counter() - start, decode)
    print(f"   difference: {abs(total - other) / other:.2%} of {other:,.0f}")


def together(areas, raster, decode, runs):
    """Four distances and five rasters in one call, against a call for each."""
    with tempfile.TemporaryDirectory() as folder:
        layers = {}
        for k, name in enumerate(GROUPS):
            path = Path(folder) / f"{name}.tif"
            with rasterio.open(raster.path) as source, rasterio.open(path, "w", **source.profile) as out:
                for _, window in source.block_windows(1):
                    values = source.read(1, window=window)
                    out.write(np.where(values > 0, values * (0.1 + 0.05 * k), values), 1, window=window)
            layers[name] = population(path)

        def one_by_one():
            return [people_near(areas, layer, within_m=d) for layer in layers.values() for d in DISTANCES]

        mine, table = seconds(lambda: people_near(areas, layers, within_m=DISTANCES), runs)
        peer, singles = seconds(one_by_one, runs, warm=False)
        line("four distances x five rasters, against 20 calls", mine, peer, decode)
        whole = np.column_stack([np.nan_to_num(singles[4 * k + 3]) for k in range(5)])
        sums = np.nan_to_num(table.to_numpy()).reshape(len(table), 5, 4).sum(axis=2)
        print(f"   largest difference {(np.abs(sums - whole) / np.maximum(whole, 1)).max():.1e}")


def workers(areas, raster, decode, runs):
    """One worker against two: threads, and processes that are running already."""
    spawn = multiprocessing.get_context("spawn")
    for within_m in (0, REACH_M):
        for kind, two in (("threads", ThreadPoolExecutor(2)), ("processes", ProcessPoolExecutor(2, spawn))):
            with ThreadPoolExecutor(1) as alone, two:

                def counted(pool, *, of=areas, on=raster, within_m=within_m):
                    return people_near(of, on, within_m=within_m, executor=pool)

                pair, _ = seconds(lambda pool=two: counted(pool), runs)
                one, _ = seconds(lambda pool=alone: counted(pool), runs)
                line(f"within {within_m} m: two {kind}, against one thread", pair, one, decode)


def growth(runs):
    """Print how time grows with areas, with cells, and with the people on them."""
    print(
        f"{'areas':>8} {'cells':>16} {'cells with people':>18} {'inside s':>9} {'1 km s':>9} {'peak GB':>8}"
    )
    with tempfile.TemporaryDirectory() as folder:
        for cells, count, share in (
            (4_000, 1_000, 0.5), (4_000, 10_000, 0.5), (4_000, 100_000, 0.5),
            (2_000, 10_000, 0.5), (8_000, 10_000, 0.5), (16_000, 10_000, 0.5),
            (4_000, 10_000, 0.02), (4_000, 10_000, 1.0),
        ):  # fmt: skip
            path = Path(folder) / "grown.tif"
            areas = made(path, cells, count, share)
            raster = population(path)
            taken = [
                seconds(lambda d=d, a=areas, r=raster: people_near(a, r, within_m=d), runs)[0]
                for d in (0, REACH_M)
            ]
            print(
                f"{count:8,} {f'{cells:,} x {cells:,}':>16} {share:18.0%} {taken[0]:9.2f} {taken[1]:9.2f} "
                f"{peak_gb():8.2f}",
                flush=True,
            )


def made(path, cells, count, share):
    """Write a raster of which some cells have people, and give round areas of 10 to 400 ha on it."""
    rng = np.random.default_rng(0)
    with rasterio.open(
        path, "w", driver="GTiff", width=cells, height=cells, count=1, dtype="float32",
        crs="EPSG:4326", transform=Affine(1 / 1200, 0, 10, 0, -1 / 1200, 40), tiled=True, blockxsize=256,
        blockysize=256, compress="deflate", zlevel=1, num_threads=2, nodata=-99_999, bigtiff="if_safer",
    ) as out:  # fmt: skip
        for row in range(0, cells, 256):
            rows = min(256, cells - row)
            block = rng.integers(0, 20, (rows, cells), dtype=np.uint8).astype(np.float32)
            if share < 1:
                block[rng.random((rows, cells), dtype=np.float32) > share] = -99_999
            out.write(block, 1, window=((row, row + rows), (0, cells)))
    span = cells / 1200
    spots = shapely.points(rng.uniform([10, 40 - span], [10 + span, 40], (count, 2)))
    return gpd.GeoSeries(shapely.buffer(spots, rng.uniform(0.0005, 0.01, count)), crs="EPSG:4326")


def memory(cells, count):
    """Make a large raster and report the peak memory of measuring on it."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "large.tif"
        areas = made(path, cells, count, 1)
        print(f"{cells} x {cells} cells, {count} areas; peak before {peak_gb():.2f} GB")
        raster = population(path)
        taken = []
        for within_m in (0, REACH_M):
            start = time.perf_counter()
            people_near(areas, raster, within_m=within_m)
            taken.append(time.perf_counter() - start)
            print(f"within {within_m} m: {taken[-1]:.1f} s, peak {peak_gb():.2f} GB", flush=True)
        start = time.perf_counter()
        decoded(path)  # last, as it fills GDAL's cache
        decode = time.perf_counter() - start
        within = [t / decode for t in taken]
        print(f"decoding {decode:.1f} s: inside {within[0]:.2f} x that, within {within[1]:.2f} x")


def peak_gb():
    unit = 1 if sys.platform == "darwin" else 1024  # bytes on macOS, KiB elsewhere
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e9


def main():
    ask = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ask.add_argument("country", type=Path, nargs="?")
    ask.add_argument("--runs", type=int, default=3)
    ask.add_argument("--only", nargs="+", choices=["inside", "near", "together", "workers"])
    ask.add_argument("--rasterstats", metavar="PYTHON", help="an interpreter that has rasterstats")
    ask.add_argument("--memory", type=int, nargs=2, metavar=("CELLS", "AREAS"))
    ask.add_argument("--growth", action="store_true")
    a = ask.parse_args()
    if a.memory:
        memory(*a.memory)
    elif a.growth:
        growth(a.runs)
    elif a.country:
        compare(a.country, a.runs, a.only, a.rasterstats)
    else:
        ask.error("give a COUNTRY, --memory CELLS AREAS or --growth")


if __name__ == "__main__":
    main()
