import geopandas as gpd
import numpy as np
import pyproj
import pytest
from shapely import Point, Polygon, box

from ccm_geo import space
from ccm_geo.errors import CRSError


def layer(shape, crs="EPSG:4326"):
    return gpd.GeoDataFrame(geometry=[shape], crs=crs)


def test_area_of_a_square_degree_agrees_with_the_geodesic_area():
    square = box(102, 18, 103, 19)
    geodesic = abs(pyproj.Geod(ellps="WGS84").geometry_area_perimeter(square.segmentize(0.001))[0])
    assert space.areas_m2(layer(square.segmentize(0.001)))[0] == pytest.approx(geodesic, rel=1e-6)


def test_area_is_the_same_from_degrees_and_from_metres():
    flat = layer(box(500_000, 2_000_000, 501_000, 2_000_500), "EPSG:32648")
    assert space.areas_m2(flat)[0] == pytest.approx(space.areas_m2(flat.to_crs(4326))[0], rel=1e-6)
    assert space.areas_m2(flat)[0] == pytest.approx(500_000, rel=2e-3)  # UTM's own scale is 0.9996


def test_distances_in_the_study_crs_are_within_a_tenth_of_a_percent_at_500_km():
    a, b = Point(18.0, 44.0), Point(18.0, 44.1)
    away = gpd.GeoSeries([a, b], crs=4326)
    wide = gpd.GeoDataFrame(geometry=[Point(18, 44), Point(18, 35.0)], crs=4326)  # centre 500 km south
    flat = space.project(away, space.study_crs(wide))
    true = pyproj.Geod(ellps="WGS84").inv(18, 44, 18, 44.1)[2]
    assert flat.iloc[0].distance(flat.iloc[1]) == pytest.approx(true, rel=1e-3)


def test_study_crs_does_not_move_with_a_small_edit():
    assert space.study_crs(layer(box(17, 44, 18, 45))) == space.study_crs(layer(box(17, 44, 18.01, 45.01)))


def test_study_crs_is_not_moved_by_one_stray_record():
    cluster = [box(-74 + i / 100, 4, -73.9 + i / 100, 4.1) for i in range(9)]
    stray = gpd.GeoDataFrame(geometry=[*cluster, box(74, 4, 74.1, 4.1)], crs=4326)
    assert space.study_crs(stray) == space.study_crs(gpd.GeoDataFrame(geometry=cluster, crs=4326))


def test_empty_layer_has_a_study_crs_and_no_area():
    nothing = gpd.GeoDataFrame(geometry=[Polygon()], crs=4326)
    assert space.areas_m2(nothing).tolist() == [0.0]


def test_layer_without_crs_is_refused_with_the_cure():
    with pytest.raises(CRSError, match=r"hazards: the layer has no coordinate reference system.*crs="):
        space.require_place(layer(Point(1, 1), None), "hazards")


def test_metres_in_a_degree_crs_are_refused():
    with pytest.raises(CRSError, match="they look like metres"):
        space.require_place(layer(Point(500_000, 4_900_000)), "hazards")


def test_swapped_axes_are_named():
    with pytest.raises(CRSError, match="latitude and longitude look swapped"):
        space.require_place(layer(Point(18, 102)), "roads")


def test_coordinates_outside_the_area_of_use_are_refused():
    with pytest.raises(CRSError, match=r"outside the area of use of WGS 84 / UTM zone 48N"):
        space.require_place(layer(Point(500_000, -4_000_000), "EPSG:32648"), "hazards")


def test_neighbouring_utm_zone_is_accepted():
    east = layer(Point(107.5, 18), 4326).to_crs(32648)
    space.require_place(east, "hazards")


def test_crs_whose_use_crosses_the_antimeridian_is_accepted():
    fiji = layer(Point(178, -18), 4326).to_crs(3460)
    space.require_place(fiji, "hazards")


def test_layer_without_any_place_passes():
    space.require_place(layer(None), "accidents")


def test_layers_far_apart_are_refused_with_both_extents():
    with pytest.raises(
        CRSError, match=r"hazards cover longitude 17.00 to 18.00.*people cover longitude 102.00"
    ):
        space.require_overlap((17, 44, 18, 45), (102, 17, 104, 20), ("hazards", "people"))


def test_layers_that_touch_pass():
    space.require_overlap((17, 44, 18, 45), (18, 44, 19, 45), ("hazards", "people"))


def test_points_lie_inside_and_keep_the_order():
    ring = Polygon([(0, 0), (4, 0), (4, 4), (0, 4)], [[(1, 1), (3, 1), (3, 3), (1, 3)]])
    shapes = gpd.GeoSeries([ring, None], crs=4326)
    points = space.lonlat_points(shapes)
    assert ring.contains(Point(points[0]))
    assert np.isnan(points[1]).all()


def test_spots_that_five_points_share_are_numbered():
    points = [Point(1, 1)] * 5 + [Point(2, 2)] * 4 + [None] * 5 + [Point()] * 5 + [Point(0, 0)] * 6
    assert space.stacked_spots(np.array(points, dtype=object)).tolist() == [1] * 5 + [0] * 14 + [2] * 6
    assert space.stacked_spots(np.array([], dtype=object)).tolist() == []
