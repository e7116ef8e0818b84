"""Make the sample data: the invented province Upper Talva of the invented country Marenda.

    python make_sample.py [FOLDER]

The same seed gives the same tables on every machine. Everything is made up, and the province lies in open
sea, so that no real place is shown. What is wrong with the files is wrong on purpose, see README.md.
"""

import sys
from datetime import datetime
from pathlib import Path

import geopandas as gpd
import numpy as np
import numpy.typing as npt
import pandas as pd
import pyogrio
import rasterio
import shapely
from rasterio import Affine
from rasterio.features import geometry_mask

SEED = 20_260_801
WEST, NORTH = 88.20, 14.80  # upper left corner, degrees
KM_LON, KM_LAT = 107.7, 110.6  # kilometers per degree here
WIDE, HIGH = 58.0, 50.0  # the province, kilometers
PASSERS = 400  # those who pass an area to farm, graze or cut wood, as so many residents
CELL = 1 / 1200  # degrees: 3 arc-seconds, about 100 m
PROVINCE = "Upper Talva"
DISTRICTS = ("Talva", "Orrimel", "Kesval", "Benduri", "Norrasol", "Sivetan")
CODES = tuple(f"MR07{i:02d}" for i in range(1, 7))
SYLLABLES = ("ta", "ru", "mel", "or", "vin", "ka", "sol", "lum", "den", "hai", "bri", "nok", "fa", "sen")
HOSTILE = (
    "<img src=x onerror=alert(1)>",
    "{{7*7}}",
    "50{% of the area",
    '=HYPERLINK("http://example.org","click")',
    "ບ້ານ ໂພນສະຫວັນ",
    "حقل ألغام ٣",
    'O\'Brien "quoted" `tick` ${x} </script>',
)

Points = npt.NDArray[np.float64]  # shape (n, 2): kilometers east and south of the corner


def lonlat(km: Points) -> Points:
    """Turn kilometers from the corner into longitude and latitude."""
    return np.column_stack([WEST + km[..., 0] / KM_LON, NORTH - km[..., 1] / KM_LAT])


def valleys() -> list[Points]:
    """Draw the river and its four side valleys, a point every 600 m or so."""
    t = np.linspace(0, 1, 110)
    x = 3 + 52 * t
    y = 8 + 33 * t + 3.2 * np.sin(9 * t) + 1.1 * np.sin(23 * t + 1)
    river = np.column_stack([x, y])
    sides = []
    for start, (dx, dy), bend in (
        (22, (6, 19), 2.0),
        (40, (11, -14), -1.5),
        (66, (-7, 17), 1.6),
        (84, (9, -23), 2.2),
    ):
        s = np.linspace(0, 1, 34)[:, None]
        sway = bend * np.sin(6 * s) * s * np.array([[-dy, dx]]) / np.hypot(dx, dy)
        sides.append(river[start] + s * np.array([[dx, dy]]) + sway)
    return [river, *sides]


def place_names(n: int, rng: np.random.Generator) -> list[str]:
    """Invent `n` names, each once."""
    names: dict[str, None] = {}
    while len(names) < n:
        names["".join(rng.choice(SYLLABLES, rng.integers(2, 4), replace=False)).capitalize()] = None
    return list(names)


def settlements(lines: list[Points], rng: np.random.Generator) -> pd.DataFrame:
    """Set towns first, then villages along the valleys and a few on the hills; no two share a name."""
    river, a, b, c, d = lines
    towns = np.array([river[58], river[14], a[26], b[28], c[24], d[27]]) + rng.normal(0, 0.3, (6, 2))
    along = [river[rng.integers(4, 106, 62)]] + [side[rng.integers(5, 34, 20)] for side in lines[1:]]
    villages = np.vstack(along)
    villages = villages + rng.normal(0, 0.9, villages.shape)
    hills = rng.uniform([6, 6], [WIDE - 6, HIGH - 6], (22, 2))
    km = np.vstack([towns, villages, hills])
    people = np.concatenate(
        [[36_400, 8_150, 5_300, 6_720, 4_890, 3_960], np.exp(rng.normal(6.1, 0.65, len(km) - 6)).round()]
    )
    inside = shapely.contains_xy(outline().buffer(-1), km)
    table = pd.DataFrame({"x": km[:, 0], "y": km[:, 1], "people": people})[inside].reset_index(drop=True)
    table["name"] = [*DISTRICTS, *place_names(len(table) - 6, rng)]
    return table


def outline() -> shapely.Polygon:
    """Draw the border of the province."""
    turn = np.linspace(0, 2 * np.pi, 240, endpoint=False)
    wave = (
        1
        + 0.05 * np.sin(3 * turn + 1)
        + 0.035 * np.sin(7 * turn)
        + 0.02 * np.sin(17 * turn + 2)
        + 0.008 * np.sin(41 * turn)
    )
    square = (np.abs(np.cos(turn)) ** 3.2 + np.abs(np.sin(turn)) ** 3.2) ** (-1 / 3.2)
    x = WIDE / 2 + 0.93 * WIDE / 2 * wave * square * np.cos(turn)
    y = HIGH / 2 + 0.93 * HIGH / 2 * wave * square * np.sin(turn)
    return shapely.Polygon(np.column_stack([np.clip(x, 0.3, WIDE - 0.3), np.clip(y, 0.3, HIGH - 0.3)]))


def districts(towns: Points) -> gpd.GeoDataFrame:
    """Give every spot to the nearest town, over ground that is bent a little as watersheds are."""
    step = 0.5
    gx, gy = (g.ravel() for g in np.meshgrid(np.arange(0, WIDE, step), np.arange(0, HIGH, step)))
    across = gx + 2.2 * np.sin(gy / 3.7) + np.sin(gy / 1.3)
    bent = np.column_stack([across, gy + 2 * np.sin(gx / 4.3) + np.sin(gx)])
    nearest = np.hypot(*(bent[:, None] - towns[None]).transpose(2, 0, 1)).argmin(axis=1)
    squares = shapely.box(gx, gy, gx + step, gy + step)
    parts = [shapely.union_all(squares[nearest == k], grid_size=0.01) for k in range(len(towns))]
    smooth = shapely.coverage_simplify(np.array(parts), 0.9, simplify_boundary=False)
    cut = shapely.intersection(smooth, outline())
    whole = [max(shapely.get_parts(shape), key=shapely.area) for shape in cut]
    shapes = [shapely.transform(shape, lonlat) for shape in whole]
    return gpd.GeoDataFrame(
        {"adm1": PROVINCE, "adm2": DISTRICTS, "code": CODES, "name": [f"{d} District" for d in DISTRICTS]},
        geometry=shapes,
        crs="EPSG:4326",
    )


def population(path: Path, places: pd.DataFrame, rng: np.random.Generator) -> None:
    """Write people per cell as WorldPop has it: dense around the places, farms between, void outside."""
    rows, cols = round(HIGH / KM_LAT / CELL), round(WIDE / KM_LON / CELL)
    grid = np.zeros((rows, cols))
    at = lonlat(places[["x", "y"]].to_numpy())
    homes = np.clip((places["people"] / 2.5).astype(int), 3, 9_000).to_numpy()
    who = np.repeat(np.arange(len(places)), homes)
    spread = np.sqrt(homes)[who] * 0.11 + 1.2
    col = ((at[who, 0] - WEST) / CELL + rng.normal(0, 1, len(who)) * spread).astype(int)
    row = ((NORTH - at[who, 1]) / CELL + rng.normal(0, 1, len(who)) * spread).astype(int)
    weight = (places["people"].to_numpy() / homes)[who]
    np.add.at(grid, (np.clip(row, 0, rows - 1), np.clip(col, 0, cols - 1)), weight)
    farms = rng.random(grid.shape) < 0.015
    grid[farms] += rng.gamma(1.0, 1.2, int(farms.sum()))
    grid = np.round(grid * 8) / 8
    here = Affine(CELL, 0, WEST, 0, -CELL, NORTH)
    void = geometry_mask([shapely.transform(outline().buffer(0.8), lonlat)], grid.shape, here)
    grid[void] = -99_999
    with rasterio.open(
        path,
        "w",
        driver="GTiff",
        width=cols,
        height=rows,
        count=1,
        dtype="float32",
        crs="EPSG:4326",
        nodata=-99_999,
        transform=here,
        tiled=True,
        blockxsize=256,
        blockysize=256,
        compress="deflate",
        zlevel=9,
    ) as out:
        out.write(grid.astype(np.float32), 1)


def roads(lines: list[Points], places: pd.DataFrame, rng: np.random.Generator) -> gpd.GeoDataFrame:
    """Lay the river road, a road up each side valley, and a track from every place to the nearest road."""
    found: list[tuple[Points, str, float]] = []
    for number, line in enumerate(lines):
        kind, speed = ("primary", 60.0) if number == 0 else ("secondary", 40.0)
        found += [(line[i : i + 3], kind, speed) for i in range(0, len(line) - 2, 2)]
    nodes = np.vstack([line[::2] for line in lines])
    for spot in places[["x", "y"]].to_numpy():
        gap = np.hypot(*(nodes - spot).T)
        end = nodes[gap.argmin()]
        middle = (spot + end) / 2 + rng.normal(0, 0.08, 2) * gap.min()
        found.append((np.array([spot, middle, end]), "track", 15.0))
    table = gpd.GeoDataFrame(
        {
            "id": np.arange(1, len(found) + 1),
            "class": [kind for _, kind, _ in found],
            "speed_kmh": [speed for *_, speed in found],
        },
        geometry=[shapely.LineString(lonlat(line)) for line, *_ in found],
        crs="EPSG:4326",
    )
    table.loc[rng.choice(len(table), 9, replace=False), "speed_kmh"] = np.nan
    return table


def area_shape(
    center: Points, hectares: float, stretch: float, turn: float, rng: np.random.Generator
) -> shapely.Polygon:
    """Draw one irregular area, longer along `turn`, as a survey team walks it."""
    n = int(rng.integers(9, 26))
    angle = np.arange(n) / n * 2 * np.pi
    radius = np.ones(n)
    for wave in range(2, 5):
        radius += rng.normal(0, 0.13) * np.cos(wave * angle + rng.uniform(0, 6.28))
    radius = np.clip(radius, 0.4, 2) * (1 + rng.normal(0, 0.04, n)) * np.sqrt(hectares * 1e-2 / np.pi)
    x, y = radius * np.cos(angle) * np.sqrt(stretch), radius * np.sin(angle) / np.sqrt(stretch)
    across = np.column_stack([x * np.cos(turn) - y * np.sin(turn), x * np.sin(turn) + y * np.cos(turn)])
    return shapely.Polygon(lonlat(center + across))


def footprints(lines: list[Points], places: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    """Place the areas: bombing runs across the valleys, a mine belt on a ridge, duds around villages."""
    rows: list[tuple[float, float, float, float, float, str, str]] = []
    for k in range(10):  # aircraft followed the road and crossed it: long strikes in a row
        target = lines[k % 5][rng.integers(8, len(lines[k % 5]) - 4)]
        turn = rng.uniform(0.2, 1.2) + np.pi / 2 * (k % 2)
        for s in np.linspace(-4.5, 4.5, 12) + rng.normal(0, 0.25, 12):
            spot = target + s * np.array([np.cos(turn), np.sin(turn)]) + rng.normal(0, 0.18, 2)
            rows.append((*spot, np.exp(rng.normal(2.4, 0.6)), rng.uniform(2, 4), turn, "CMR", "crops"))
    for s in np.linspace(0, 1, 46):  # the front line of an older war along the southern ridge
        spot = np.array([12 + 33 * s, 37 + 4.5 * np.sin(5 * s)]) + rng.normal(0, 0.3, 2)
        size, stretch = np.exp(rng.normal(0.6, 0.6)), rng.uniform(2, 5)
        rows.append((*spot, size, stretch, rng.normal(0.2, 0.3), "APM", "forest"))
    pull = places["people"].to_numpy() ** 0.5
    near = rng.choice(len(places), 150, p=pull / pull.sum())
    for spot in places[["x", "y"]].to_numpy()[near] + rng.normal(0, 0.9, (150, 2)):
        device = rng.choice(["CMR", "UXO", "CMR;UXO"], p=[0.5, 0.3, 0.2])
        use = rng.choice(["crops", "village", "school", "grazing", "road"], p=[0.5, 0.2, 0.05, 0.15, 0.1])
        size, stretch = np.exp(rng.normal(1.3, 0.8)), rng.uniform(1, 1.8)
        rows.append((*spot, size, stretch, rng.uniform(0, 3), device, use))
    table = pd.DataFrame(rows, columns=["x", "y", "hectares", "stretch", "turn", "Device", "LandUse"])
    inside = shapely.contains_xy(outline().buffer(-0.8), table[["x", "y"]].to_numpy())
    return table[inside].iloc[:304].sample(frac=1, random_state=rng).reset_index(drop=True)


def hazards(
    lines: list[Points], places: pd.DataFrame, adm: gpd.GeoDataFrame, rng: np.random.Generator
) -> gpd.GeoDataFrame:
    """Export the national data base: its own column names and codes, no repairs."""
    where = footprints(lines, places, rng)
    n = len(where)
    shapes = [
        area_shape(np.array([f.x, f.y]), f.hectares, f.stretch, f.turn, rng)
        for f in where.itertuples(index=False)
    ]
    at = gpd.GeoSeries(shapes, crs=adm.crs).representative_point()
    district = np.array([adm["adm2"][adm.contains(spot).to_numpy().argmax()] for spot in at])
    confirmed = rng.random(n) < np.where(where["Device"] == "APM", 0.3, 0.45)
    village = places["name"].to_numpy()[
        [np.hypot(places["x"] - f.x, places["y"] - f.y).argmin() for f in where.itertuples(index=False)]
    ]
    days = rng.integers(0, 4_600, n).astype("timedelta64[D]")
    area = shapely.area(np.array(shapes)) * KM_LON * KM_LAT * 1e6
    table = gpd.GeoDataFrame(
        {
            "HA_ID": [f"MR-07-{i:04d}" for i in range(1, n + 1)],
            "HA_Name": [f"{v} {i % 9 + 1}" for i, v in enumerate(village)],
            "Type": np.where(confirmed, "C", "S"),
            "Status": rng.choice(["ACT", "CLS", "HO"], n, p=[0.94, 0.04, 0.02]),
            "Evidence": np.where(confirmed, "D", rng.choice(["I", "D"], n, p=[0.85, 0.15])),
            "Device": where["Device"],
            "LandUse": where["LandUse"],
            "Area_m2": (area * np.exp(rng.normal(0, 0.08, n))).round(-1),
            "Prov": PROVINCE,
            "District": district,
            "SurvDate": np.datetime64("2013-01-15") + days,
        },
        geometry=shapes,
        crs="EPSG:4326",
    )
    return spoil(table, rng)


def spoil(table: gpd.GeoDataFrame, rng: np.random.Generator) -> gpd.GeoDataFrame:
    """Break what breaks in real exports; README.md counts every kind."""
    pick = rng.permutation(np.arange(20, len(table)))
    bow, null, empty, sliver, clash = pick[:5], pick[5:8], pick[8:10], pick[10], pick[11:13]
    shape = table.geometry.to_numpy().copy()
    for i in bow:
        ring = shapely.get_coordinates(shape[i])[:-1]
        ring[[2, 5]] = ring[[5, 2]]
        shape[i] = shapely.Polygon(ring)
    shape[null] = None
    shape[empty] = shapely.Polygon()
    x, y = shapely.get_coordinates(shape[sliver])[0]
    shape[sliver] = shapely.Polygon([(x, y), (x + 2e-3, y), (x + 2e-3, y + 1e-7), (x, y + 1e-7)])
    table = table.set_geometry(gpd.GeoSeries(shape, index=table.index, crs=table.crs))
    table.loc[clash[1], "HA_ID"] = table.loc[clash[0], "HA_ID"]
    odd = np.arange(3, 3 + len(HOSTILE))
    table.loc[odd, "HA_Name"] = HOSTILE
    table.loc[pick[13:25], "Device"] = None
    table.loc[pick[25:31], "Area_m2"] = np.nan
    again = table.iloc[pick[40:44]]
    return pd.concat([table, again], ignore_index=True)


def accidents(area: gpd.GeoDataFrame, places: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    """Scatter seven years of reports near known areas where people live or pass, two typed twice."""
    n = 66
    usable = area[~shapely.is_missing(area.geometry.to_numpy()) & ~area.is_empty & (area["Type"] == "C")]
    spot = shapely.get_coordinates(shapely.centroid(usable.geometry.to_numpy()))
    home = lonlat(places[["x", "y"]].to_numpy())
    near = np.hypot(*((spot[:, None] - home) * [KM_LON, KM_LAT]).transpose(2, 0, 1)) < 2
    met = np.cumsum(PASSERS + np.minimum(near @ places["people"].to_numpy(), 4_000))
    turn = (rng.integers(0, len(spot), n) + 0.5) / len(spot)  # spread over areas by who meets them
    at = spot[np.searchsorted(met, turn * met[-1])] + rng.normal(0, 0.0035, (n, 2))
    days = rng.integers(0, 2_500, n).astype("timedelta64[D]")
    table = pd.DataFrame(
        {
            "accident_id": [f"AC-{i:03d}" for i in range(1, n + 1)],
            "date": pd.Series(np.datetime64("2019-02-01") + days).dt.strftime("%Y-%m-%d"),
            "lon": at[:, 0].round(5),
            "lat": at[:, 1].round(5),
            "killed": rng.poisson(0.35, n).astype(float),
            "injured": rng.poisson(1.1, n).astype(float),
            "ordnance": rng.choice(["cluster", "uxo", "ap_mine"], n, p=[0.65, 0.25, 0.1]),
            "civilian": rng.choice(["yes", "no"], n, p=[0.93, 0.07]),
            "precision_m": rng.choice([50, 500, 2000], n, p=[0.5, 0.35, 0.15]),
            "victim_name": [f"Invented Person {i}" for i in range(1, n + 1)],
        }
    )
    table.loc[9, "lon"] = 8.43  # a digit lost on the way: lands in another continent
    table.loc[[21, 40], ["lon", "lat"]] = np.nan
    table.loc[[5, 33], "injured"] = np.nan
    return pd.concat([table, table.iloc[[12, 30]]], ignore_index=True)


HOMES = (  # one code that no district bears, one blank
    *("MR0702", "MR0703", "MR0703", "MR0705", "MR0703", "MR0706"),
    *("MR0799", "MR0704", None, "MR0705", "MR0706"),
)
TAGS = {
    "place_id": "#loc+code",
    "operation": "#meta+operation",
    "roundNumber": "#meta+round",
    "reportingDate": "#date",
    "lon": "#geo+lon",
    "lat": "#geo+lat",
    "group": "#affected+type",
    "numPresentIdpInd": "#affected+ind",
    "origin_code": "#origin+code",
    "intend_return_share": "#indicator+share",
}


def displacement(lines: list[Points], rng: np.random.Generator) -> pd.DataFrame:
    """Count displaced people in three rounds, everyone again in each; tags stand in the second row."""
    river, first, second, _, last = lines
    spots = np.vstack([river[[10, 30, 52, 60, 63, 88, 100]], first[[14, 24]], second[[18]], last[[20]]])
    at = lonlat(spots + rng.normal(0, 0.5, spots.shape)).round(5)
    base = rng.gamma(2.0, 1_300, len(at)).round() + 250
    rows: list[list[object]] = [list(TAGS.values())]
    for number, day, grown in ((1, "2025-09-15", 1.3), (2, "2026-01-15", 1.15), (3, "2026-05-15", 1.0)):
        for i, (x, y) in enumerate(at):
            share = round(float(rng.beta(5, 3)), 2)
            group = "returnee" if i in {3, 7} else "idp"
            people = None if (number, i) == (3, 5) else round(base[i] * grown)  # one was not assessed
            site = [f"SITE-{i + 1:02d}", "Upper Talva response", number, day, x, y]
            rows.append([*site, group, people, HOMES[i], share])
    return pd.DataFrame(rows, columns=list(TAGS), dtype=object)


def dms(value: float, letters: str) -> str:
    """Write degrees the way a field form has them: 14°27'05.3"N."""
    seconds = round(abs(value) * 3_600, 1)
    degrees, rest = divmod(seconds, 3_600)
    minutes, seconds = divmod(rest, 60)
    return f"{int(degrees)}°{int(minutes):02d}'{seconds:04.1f}\"{letters[int(value < 0)]}"


def facilities(places: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    """List hospitals and clinics as the health ministry does: an XLSX with coordinates as text."""
    towns = np.concatenate([np.arange(6), 6 + rng.choice(len(places) - 6, 15, replace=False)])
    at = lonlat(places.loc[towns, ["x", "y"]].to_numpy() + rng.normal(0, 0.15, (len(towns), 2)))
    town, center = "Hospital", "Health Center"
    kind = [town, town, center, town, center, center, *["Health Post"] * 15]
    return pd.DataFrame(
        {
            "Code": [f"HF{i:02d}" for i in range(1, len(towns) + 1)],
            "Facility": [f"{places['name'][i]} {k}" for i, k in zip(towns, kind, strict=True)],
            "Type": kind,
            "Beds": [120, 40, None, 35, None, None, *[None] * 15],
            "Latitude": [dms(v, "NS") for v in at[:, 1]],
            "Longitude": [dms(v, "EW") for v in at[:, 0]],
        }
    )


def write_gpkg(table: gpd.GeoDataFrame, path: Path) -> None:
    """Write one layer, named as its file."""
    path.unlink(missing_ok=True)
    table.to_file(path, layer=path.stem, driver="GPKG", engine="pyogrio")


def make(folder: Path) -> None:
    """Write all files into `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    pyogrio.set_gdal_config_options({"OGR_CURRENT_DATE": "2026-08-01T00:00:00Z"})  # no clock in the files
    rng = np.random.default_rng(SEED)
    lines = valleys()
    places = settlements(lines, rng)
    adm = districts(places.loc[:5, ["x", "y"]].to_numpy())
    area = hazards(lines, places, adm, rng)
    population(folder / "population.tif", places, rng)
    write_gpkg(adm, folder / "districts.gpkg")
    write_gpkg(area, folder / "hazards.gpkg")
    write_gpkg(roads(lines, places, rng), folder / "roads.gpkg")
    uncounted = rng.choice(np.arange(6, len(places)), 4, replace=False)
    known = places["people"].where(~places.index.isin(uncounted))
    points = gpd.points_from_xy(*lonlat(places[["x", "y"]].to_numpy()).T, crs="EPSG:4326")
    villages = gpd.GeoDataFrame({"name": places["name"], "people": known}, geometry=points)
    write_gpkg(villages, folder / "settlements.gpkg")
    plain = {"index": False, "lineterminator": "\n"}
    accidents(area, places, rng).to_csv(folder / "accidents.csv", sep=";", encoding="utf-8-sig", **plain)
    displacement(lines, rng).to_csv(folder / "displacement.csv", encoding="utf-8", **plain)
    with pd.ExcelWriter(folder / "facilities.xlsx", engine="xlsxwriter") as book:
        book.book.set_properties({"created": datetime(2026, 8, 1)})  # noqa: DTZ001 - the format knows no zone
        facilities(places, rng).to_excel(book, sheet_name="facilities", index=False)


if __name__ == "__main__":
    make(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).resolve().parent)
