"""Sums under areas: by hand, against exactextract, and the laws they keep."""

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import rasterio
import shapely
from affine import Affine
from exactextract import exact_extract

from ccm_geo import space
from ccm_geo.errors import SourceError
from ccm_geo.exposure import people_in
from ccm_geo.exposure.rings import sound
from ccm_geo.exposure.tiles import Ask, layer_of, sum_cells
from ccm_geo.exposure.traces import boxes, traced
from ccm_geo.schemas import PopulationRaster

UTM = "EPSG:32648"


def write(path, values, *, transform=None, crs=UTM, nodata=None, unit="people", **profile):
    """Write a raster of 100 m cells from (500000, 2000000) on; give what `read_population` would."""
    values = np.atleast_2d(values)
    transform = transform or Affine(100, 0, 500_000, 0, -100, 2_000_000)
    height, width = values.shape
    with rasterio.open(
        path, "w", driver="GTiff", width=width, height=height, count=1, dtype=values.dtype, crs=crs,
        transform=transform, nodata=nodata, **profile,
    ) as out:  # fmt: skip
        out.write(values, 1)
    with rasterio.open(path) as file:
        crs = rasterio.crs.CRS(file.crs)
    return PopulationRaster(
        path=str(path), crs=space.pyproj.CRS.from_user_input(crs), transform=transform, width=width,
        height=height, nodata=nodata, unit=unit,
    )  # fmt: skip


def cells_box(left, top, right, bottom):
    """A box given in columns and rows of the raster of `write`."""
    return shapely.box(
        500_000 + 100 * left, 2_000_000 - 100 * bottom, 500_000 + 100 * right, 2_000_000 - 100 * top
    )


def under(raster, *shapes, crs=UTM):
    return people_in(gpd.GeoSeries(list(shapes), crs=crs), raster)


@pytest.fixture
def nine(tmp_path):
    return write(tmp_path / "nine.tif", np.arange(1, 10, dtype="float32").reshape(3, 3))


def test_whole_cells_count_whole(nine):
    assert under(nine, cells_box(0, 0, 3, 3), cells_box(1, 1, 2, 2)) == pytest.approx([45, 5])


def test_half_covered_cells_count_half(nine):
    assert under(nine, cells_box(0.5, 0.5, 1.5, 1.5)) == pytest.approx([(1 + 2 + 4 + 5) / 4])


def test_triangle_over_the_diagonal_takes_half_of_the_diagonal_cells(nine):
    corner = shapely.Polygon([(500_000, 2_000_000), (500_300, 2_000_000), (500_000, 1_999_700)])
    assert under(nine, corner) == pytest.approx([1 + 2 + 4 + (3 + 5 + 7) / 2])


def test_hole_counts_nothing(nine):
    ring = cells_box(0, 0, 3, 3).difference(cells_box(1, 1, 2, 2))
    assert under(nine, ring) == pytest.approx([40])


def test_parts_of_a_multipolygon_and_of_a_collection_add_up(nine):
    two = shapely.MultiPolygon([cells_box(0, 0, 1, 1), cells_box(2, 2, 3, 3)])
    odd = shapely.GeometryCollection([two, shapely.LineString([(500_000, 2_000_000), (500_300, 1_999_700)])])
    assert under(nine, two, odd) == pytest.approx([10, 10])


@pytest.mark.parametrize("turn", [1, -1])
def test_direction_of_the_ring_does_not_matter(nine, turn):
    xy = shapely.get_coordinates(cells_box(0, 0, 2, 1))[::turn]
    assert under(nine, shapely.Polygon(xy)) == pytest.approx([3])


def test_area_inside_one_cell_counts_its_share(nine):
    assert under(nine, cells_box(1.25, 1.25, 1.5, 1.5)) == pytest.approx([5 / 16])


def test_only_the_part_in_the_raster_counts(nine):
    assert under(nine, cells_box(-5, -5, 1, 1), cells_box(2, 2, 9, 9)) == pytest.approx([1, 9])


def test_area_apart_from_the_raster_is_unknown(nine):
    assert np.isnan(under(nine, cells_box(4, 0, 5, 1), None, shapely.Polygon())).all()


def test_nan_nodata_infinite_and_negative_cells_count_nothing(tmp_path):
    values = np.array([[1, np.nan, 2], [-99_999, 4, -7], [np.inf, 0, 8]], dtype="float32")
    raster = write(tmp_path / "holes.tif", values, nodata=-99_999)
    assert under(raster, cells_box(0, 0, 3, 3)) == pytest.approx([15])


def test_mask_band_hides_cells(tmp_path):
    raster = write(tmp_path / "masked.tif", np.ones((3, 3), dtype="float32"))
    with rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True), rasterio.open(raster.path, "r+") as file:
        file.write_mask(np.array([[0, 255, 255]] * 3, dtype="uint8"))
    assert under(raster, cells_box(0, 0, 3, 3)) == pytest.approx([6])


def test_scale_and_offset_of_the_file_are_applied(tmp_path):
    raster = write(tmp_path / "scaled.tif", np.array([[10, 20, 255]], dtype="uint8"), nodata=255)
    with rasterio.open(raster.path, "r+") as file:
        file.scales, file.offsets = (0.5,), (1.0,)
    assert under(raster, cells_box(0, 0, 3, 1)) == pytest.approx([6 + 11])


@pytest.mark.parametrize("dtype", ["uint8", "int16", "uint32", "int32", "float32", "float64"])
def test_every_number_type_is_read(tmp_path, dtype):
    raster = write(tmp_path / "typed.tif", np.arange(1, 10).reshape(3, 3).astype(dtype))
    assert under(raster, cells_box(0, 0, 3, 3)) == pytest.approx([45])


def random_areas(rng, count, size):
    """Stars: some with a hole, in two parts, below a cell, across the edge, or crossing themselves."""
    shapes = []
    for _ in range(count):
        angle = np.sort(rng.uniform(0, 2 * np.pi, rng.integers(4, 40)))
        scale = np.exp(rng.uniform(np.log(20), np.log(size * 40)))
        radius = scale * rng.uniform(0.3, 1, len(angle))
        x, y = rng.uniform(-0.1, 1.1, 2) * size * 100
        ring = np.column_stack([x + radius * np.cos(angle), y + radius * np.sin(angle)])
        if rng.random() < 0.1:
            ring[[0, len(ring) // 2]] = ring[[len(ring) // 2, 0]]
        area = shapely.make_valid(shapely.Polygon(ring))
        if rng.random() < 0.3:
            area = area.difference(shapely.Point(x, y).buffer(scale / 4))
        if rng.random() < 0.2:
            area = area.union(shapely.affinity.translate(area, 2.5 * scale, scale))
        shapes.append(area)
    flat = gpd.GeoSeries(shapes, crs=UTM).translate(500_000, 2_000_000 - 100 * size)
    return gpd.GeoSeries([_polygons(s) for s in flat], crs=UTM)


def _polygons(shape):
    """Exactextract takes no collections."""
    if shape.geom_type != "GeometryCollection":
        return shape
    return shapely.union_all([p for p in shape.geoms if "Polygon" in p.geom_type])


def oracle(path, areas):
    return exact_extract(str(path), gpd.GeoDataFrame(geometry=areas), "sum", output="pandas")[
        "sum"
    ].to_numpy()


def assert_same(mine, other):
    """The same people to 1e-6, and 1e-9 people where there are hardly any."""
    np.testing.assert_allclose(np.nan_to_num(mine), np.nan_to_num(other), rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("seed", range(4))
def test_random_areas_agree_with_exactextract(tmp_path, seed):
    rng = np.random.default_rng(seed)
    values = np.where(rng.random((70, 90)) < 0.2, -1, rng.gamma(0.5, 20, (70, 90))).astype("float32")
    raster = write(tmp_path / "random.tif", values, nodata=-1, tiled=True, blockxsize=16, blockysize=32)
    areas = random_areas(rng, 150, 80)
    assert_same(people_in(areas, raster), oracle(raster.path, areas))


def test_raster_in_degrees_agrees_with_exactextract(tmp_path):
    rng = np.random.default_rng(7)
    transform = Affine(1 / 1200, 0, 104.9, 0, -1 / 1200, 18.2)
    raster = write(
        tmp_path / "degrees.tif",
        rng.gamma(0.5, 20, (120, 240)).astype("float32"),
        transform=transform,
        crs="EPSG:4326",
    )
    areas = random_areas(rng, 60, 80).to_crs(4326)
    assert_same(people_in(areas, raster), oracle(raster.path, areas))


def test_rotated_raster_counts_as_the_upright_one(tmp_path):
    rng = np.random.default_rng(3)
    values = rng.gamma(0.5, 20, (80, 80)).astype("float32")
    upright = write(tmp_path / "upright.tif", values)
    turn = Affine.rotation(31, pivot=(500_000, 2_000_000))
    rotated = write(tmp_path / "rotated.tif", values, transform=turn @ upright.transform)
    areas = random_areas(rng, 60, 80)
    moved = areas.affine_transform([turn.a, turn.b, turn.d, turn.e, turn.c, turn.f])
    np.testing.assert_allclose(people_in(moved, rotated), people_in(areas, upright), rtol=1e-7, atol=1e-7)


def inside(areas, to_pixels=lambda xy: (xy - [500_000, 2_000_000]) / [100, -100]):
    found = traced(np.asarray(areas), to_pixels)
    return Ask(found, boxes(found))


@pytest.mark.parametrize("tile_bytes", [20_000, 200_000, 10**7])
@pytest.mark.parametrize("block", [{"blockysize": 7}, {"tiled": True, "blockxsize": 16, "blockysize": 32}])
def test_tiles_of_any_size_give_the_same_sums(tmp_path, tile_bytes, block):
    rng = np.random.default_rng(5)
    raster = write(tmp_path / "tiles.tif", rng.gamma(0.5, 20, (300, 280)), **block)
    areas = inside(random_areas(rng, 80, 280))
    one = sum_cells([layer_of(raster)], [areas]).sums[0]
    many = sum_cells([layer_of(raster)], [areas], tile_bytes=tile_bytes).sums[0]
    np.testing.assert_allclose(many.total, one.total, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(many.known, one.known, rtol=1e-12, atol=1e-12)


def test_several_rasters_and_bands_are_summed_in_one_pass(tmp_path):
    rng = np.random.default_rng(6)
    rasters = [write(tmp_path / f"{k}.tif", rng.gamma(0.5, 20, (50, 60)).astype("float32")) for k in range(3)]
    layers, asked = [layer_of(raster) for raster in rasters], inside(random_areas(rng, 40, 50))
    together = sum_cells(layers, [asked]).sums[0].total
    for k, layer in enumerate(layers):
        alone = sum_cells([layer], [asked]).sums[0].total[:, 0]
        np.testing.assert_allclose(together[:, k], alone, rtol=1e-13, atol=1e-13)


def test_only_blocks_under_areas_are_read(tmp_path):
    raster = write(
        tmp_path / "wide.tif", np.ones((64, 4096), dtype="float32"), tiled=True, blockxsize=256, blockysize=64
    )
    found = sum_cells(
        [layer_of(raster)],
        [inside([shapely.box(10, 5, 12, 7), shapely.box(4000, 5, 4002, 7)], lambda xy: xy)],
    )
    assert found.sums[0].total[:, 0].tolist() == [4, 4]
    assert found.cells_read == 2 * 256 * 64


def test_pieces_of_an_area_add_up_to_the_whole(tmp_path):
    rng = np.random.default_rng(8)
    raster = write(tmp_path / "parts.tif", rng.gamma(0.5, 20, (60, 60)))
    whole = random_areas(rng, 30, 60)
    cut = cells_box(-9, -9, 31.3, 99)
    parts = people_in(whole.intersection(cut), raster), people_in(whole.difference(cut), raster)
    np.testing.assert_allclose(
        np.nan_to_num(parts[0]) + np.nan_to_num(parts[1]),
        np.nan_to_num(people_in(whole, raster)),
        rtol=1e-8,
        atol=1e-6,
    )


def test_order_of_rows_does_not_matter(tmp_path):
    rng = np.random.default_rng(9)
    raster = write(tmp_path / "order.tif", rng.gamma(0.5, 20, (60, 60)))
    areas = random_areas(rng, 30, 60)
    order = rng.permutation(len(areas))
    np.testing.assert_array_equal(people_in(areas.iloc[order], raster), people_in(areas, raster)[order])


def test_file_that_has_gone_is_a_source_error(nine, tmp_path):
    (tmp_path / "nine.tif").unlink()
    with pytest.raises(SourceError, match=r"cannot be opened"):
        under(nine, cells_box(0, 0, 1, 1))


def test_outlines_are_sound_where_geos_says_so():
    """On a coarse grid most outlines touch, fold or cross themselves somewhere."""
    rng = np.random.default_rng(10)
    coarse = [shapely.Polygon(rng.integers(0, 5, (rng.integers(3, 9), 2))) for _ in range(5_000)]
    fine = [shapely.Polygon(rng.random((n, 2))) for n in (3, 4, 5) for _ in range(300)]
    star = [shape for shape in random_areas(rng, 300, 80) if shape.geom_type == "Polygon"]
    long = shapely.Point(0, 0).buffer(9, 200)
    odd = [
        None,
        shapely.Polygon(),
        shapely.Point(1, 1),
        long,
        cells_box(0, 0, 1, 1),
        shapely.MultiPolygon([long]),
    ]
    shapes = np.array([*coarse, *fine, *star, *odd], dtype=object)
    assert 0.1 < shapely.is_valid(shapes).mean() < 0.9
    np.testing.assert_array_equal(sound(shapes), shapely.is_valid(shapes))


@pytest.mark.shared
@pytest.mark.parametrize(
    ("name", "people"),
    [("abw_ppp_2020_UNadj_constrained.tif", 106_766), ("mdg_population.tif", 23_764_992)],
)
def test_an_area_over_everything_gives_the_known_sum(shared_data, name, people):
    with rasterio.open(shared_data / "population-rasters" / name) as file:
        values = file.read(1, masked=True).astype(float)
        raster = PopulationRaster(
            path=file.name, crs=space.LONLAT, transform=file.transform, width=file.width, height=file.height,
            nodata=file.nodata,
        )  # fmt: skip
    all_of_it = gpd.GeoSeries([shapely.box(*raster.bounds).buffer(0.1)], crs=4326)
    found = [people_in(layer, raster)[0] for layer in (all_of_it, all_of_it.to_crs(3857))]
    assert found == pytest.approx([values.sum()] * 2, rel=1e-9)
    assert found[0] == pytest.approx(people, abs=0.5)


def test_rows_keep_no_index(nine):
    areas = gpd.GeoSeries([cells_box(0, 0, 1, 1)], index=pd.Index(["x"]), crs=UTM)
    assert people_in(areas, nine).tolist() == [1.0]
