"""Data reach the page unchanged, small and in their place."""

import base64
import gzip
import io
import json

import geopandas as gpd
import matplotlib.image
import numpy as np
import pyproj
import pytest
import rasterio
import shapely
from affine import Affine

from ccm_geo.maps.legend import RAMP, ramp
from ccm_geo.maps.payload import MISSING, Column, Scene, coded, degrees, measured, outlines, packed
from ccm_geo.maps.picture import SHADES, population_picture
from ccm_geo.schemas import PopulationRaster


def unpacked(text):
    """Read the page's data as ``layer.js`` does, in other words."""
    whole = gzip.decompress(base64.b64decode(text))
    length = int.from_bytes(whole[:4], "little")
    content = json.loads(whole[4 : 4 + length])
    body = np.frombuffer(whole[4 + length :], dtype=np.uint8).astype(np.int64)
    columns = {}
    for name, (at, count, _, delta) in content["columns"].items():
        planes = body[at : at + 4 * count].reshape(4, count)
        folded = planes[0] + (planes[1] << 8) + (planes[2] << 16) + (planes[3] << 24)
        numbers = np.where(folded % 2, -(folded + 1) // 2, folded // 2)
        columns[name] = np.cumsum(numbers) if delta else numbers
    return content, columns


def rings_of(columns):
    """Give every row's rings as lists of (lon, lat)."""
    points = np.split(np.column_stack([columns["x"], columns["y"]]) / 1e5, np.cumsum(columns["points"])[:-1])
    ends = np.cumsum(columns["rings"])
    return [points[end - count : end] for end, count in zip(ends, columns["rings"], strict=True)]


@pytest.mark.parametrize("delta", [False, True])
def test_whole_numbers_come_back_as_they_went(delta):
    numbers = np.array([0, 1, -1, 127, -128, 70_000, -70_000, 2**31 - 1, 5], dtype=np.int64)
    numbers = numbers if not delta else numbers // 4
    content, columns = unpacked(
        packed(
            Scene(
                content={"text": "ບ້ານ </script> {{ x }}"}, columns={"a": Column(numbers=numbers, delta=delta)}
            )
        )
    )
    assert columns["a"].tolist() == numbers.tolist()
    assert content["text"] == "ບ້ານ </script> {{ x }}"


def test_unknown_numbers_stay_unknown():
    _, columns = unpacked(packed(Scene(content={}, columns={"a": measured([1.234, np.nan, -5], digits=2)})))
    assert columns["a"].tolist() == [123, MISSING, -500]


def test_a_number_too_large_for_its_decimals_loses_decimals_and_not_its_size():
    column = measured([5e9, 1.0], digits=2)
    assert column.numbers[0] * column.step == pytest.approx(5e9, rel=1e-8)


def test_texts_are_told_once_and_missing_ones_not_at_all():
    words, places = coded(["b", "a", None, float("nan"), "b", ""])
    assert words == ["b", "a", ""]
    assert places.numbers.tolist() == [0, 1, -1, -1, 0, 2]


def test_same_scene_gives_same_bytes():
    scene = Scene(content={"a": 1}, columns={"a": measured(range(100))})
    assert packed(scene) == packed(scene)


def test_outlines_come_back_within_a_metre_with_their_holes():
    hole = shapely.Polygon(
        [(0, 0), (0.1, 0), (0.1, 0.1), (0, 0.1)], [[(0.02, 0.02), (0.02, 0.05), (0.05, 0.05), (0.05, 0.02)]]
    )
    two = shapely.MultiPolygon([shapely.box(1, 1, 1.1, 1.1), shapely.box(2, 2, 2.1, 2.2)])
    layer = gpd.GeoSeries([hole, None, two, shapely.Polygon()], crs=4326)
    _, columns = unpacked(packed(Scene(content={}, columns=outlines(layer))))
    rings = rings_of(columns)
    assert [len(row) for row in rings] == [2, 0, 2, 0]
    assert shapely.Polygon(rings[0][0], [rings[0][1]]).symmetric_difference(hole).area < 1e-6
    assert shapely.MultiPolygon([(r, []) for r in rings[2]]).symmetric_difference(two).area < 1e-6


def test_simplified_outlines_stay_within_five_metres():
    round_area = shapely.Point(102, 18).buffer(0.01, quad_segs=200)
    _, columns = unpacked(packed(Scene(content={}, columns=outlines(gpd.GeoSeries([round_area], crs=4326)))))
    drawn = shapely.Polygon(rings_of(columns)[0][0])
    assert shapely.hausdorff_distance(drawn.exterior, round_area.exterior) < 7e-5
    assert shapely.get_num_coordinates(drawn) < shapely.get_num_coordinates(round_area) / 4


def test_areas_of_other_crs_and_inside_collections_are_drawn_and_lines_are_not():
    square = shapely.box(500_000, 2_000_000, 501_000, 2_001_000)
    mixed = shapely.GeometryCollection(
        [
            shapely.Point(500_000, 2_000_000),
            shapely.MultiPolygon([square]),
            shapely.LineString([(0, 0), (1, 1)]),
        ]
    )
    layer = gpd.GeoSeries([square, mixed], crs=32648)
    _, columns = unpacked(packed(Scene(content={}, columns=outlines(layer))))
    first, second = rings_of(columns)
    assert np.array_equal(first[0], second[0])
    assert abs(first[0] - [105, 18.09]).max() < 0.02


def test_an_area_smaller_than_the_tolerance_is_never_dropped():
    speck = shapely.box(102, 18, 102.000002, 18.000002)
    columns = outlines(gpd.GeoSeries([speck], crs=4326))
    assert columns["rings"].numbers.tolist() == [1]
    assert columns["points"].numbers[0] >= 1


def test_unknown_places_stay_unknown():
    assert degrees([102.5, np.nan]).numbers.tolist() == [10_250_000, MISSING]


def raster(folder, values, transform, crs="EPSG:4326", unit="people"):
    path = folder / "people.tif"
    height, width = values.shape
    profile = {"driver": "GTiff", "dtype": "float32", "count": 1, "nodata": -1, "crs": crs}
    with rasterio.open(path, "w", width=width, height=height, transform=transform, **profile) as file:
        file.write(values.astype("float32"), 1)
    return PopulationRaster(
        path=str(path),
        crs=pyproj.CRS(crs),
        transform=transform,
        width=width,
        height=height,
        nodata=-1,
        unit=unit,
    )


def pixels(picture):
    return matplotlib.image.imread(io.BytesIO(picture.png), format="png")


def test_a_village_lies_in_the_picture_where_mercator_puts_it(tmp_path):
    values = np.zeros((600, 100))
    values[50, 30] = 500  # centre at lon 10.305, lat 59.495; the map reaches from 54 to 60 north
    people = raster(tmp_path, values, Affine(0.01, 0, 10, 0, -0.01, 60))
    drawn = pixels(population_picture(people, (10.0, 54.0, 11.0, 60.0)))
    rows, columns = np.nonzero(drawn[..., 3])

    def mercator(lat):
        return np.arctanh(np.sin(np.radians(lat)))

    at = (mercator(60) - mercator(59.495)) / (mercator(60) - mercator(54))
    assert rows.mean() / drawn.shape[0] == pytest.approx(at, abs=2 / drawn.shape[0])
    assert columns.mean() / drawn.shape[1] == pytest.approx(0.305, abs=2 / drawn.shape[1])


@pytest.mark.parametrize(
    ("people_per_cell", "shade"), [(0, None), (2, 0), (20, 1), (100, 2), (400, 3), (2_000, 4), (9_000, 5)]
)
def test_shades_are_people_per_square_kilometre(tmp_path, people_per_cell, shade):
    # cells of 1 km in an equal-area CRS: people per cell are people per km2
    values = np.full((40, 40), people_per_cell)
    people = raster(tmp_path, values, Affine(1000, 0, 0, 0, -1000, 2_000_000), crs="EPSG:6933")
    drawn = population_picture(people, (0.05, 15.55, 0.35, 15.75))
    if shade is None:
        assert drawn is None
        return
    middle = pixels(drawn)[tuple(size // 2 for size in pixels(drawn).shape[:2])]
    told = "#" + "".join(f"{round(255 * float(part)):02x}" for part in middle[:3])
    assert told == SHADES[shade]


def test_a_raster_elsewhere_gives_no_picture(tmp_path):
    people = raster(tmp_path, np.ones((10, 10)), Affine(0.01, 0, 10, 0, -0.01, 60))
    assert population_picture(people, (100.0, 10.0, 101.0, 11.0)) is None


@pytest.mark.parametrize(("people", "seen"), [(100.0, False), (5_000.0, True)])
def test_people_of_polygons_are_spread_over_their_area(people, seen):
    # 22 km by 22 km: 100 people are fewer than one on a square kilometre, 5,000 are ten
    villages = gpd.GeoDataFrame({"people": [people]}, geometry=[shapely.box(0.4, 0.4, 0.6, 0.6)], crs=4326)
    drawn = population_picture(villages, (0.0, 0.0, 1.0, 1.0))
    assert (drawn is not None) == seen
    if drawn is not None:
        share = (pixels(drawn)[..., 3] > 0).mean()
        assert share == pytest.approx(0.04, rel=0.02)


def lightness(color):
    linear = [int(color[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [v / 12.92 if v <= 0.04045 else ((v + 0.055) / 1.055) ** 2.4 for v in linear]
    light = 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
    return 116 * (light ** (1 / 3) if light > 0.008856 else 7.787 * light + 16 / 116) - 16


def test_classes_stay_apart_in_grey_print():
    steps = np.diff([lightness(color) for color in RAMP])
    assert steps.min() > 12


def test_a_ramp_of_any_length_runs_from_dark_to_pale():
    assert ramp(1) == [RAMP[0]]
    assert ramp(5) == list(RAMP)
    assert np.all(np.diff([lightness(color) for color in ramp(9)]) > 0)
