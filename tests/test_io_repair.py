import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely
from shapely import GeometryCollection, LineString, MultiPoint, MultiPolygon, Point, Polygon

from ccm_geo.io import read_accidents, read_facilities, read_hazards, read_roads
from ccm_geo.io.repair import SLIVER_M2
from ccm_geo.schemas import notes_of

SHA = {"hazard_class": "SHA", "status": "open"}
UTM = "EPSG:32634"


def box(x, y, size=100.0):
    return shapely.box(500_000 + x, 4_900_000 + y, 500_000 + x + size, 4_900_000 + y + size)


def read(shapes, **columns):
    frame = gpd.GeoDataFrame(
        {"hazard_id": [str(n) for n in range(len(shapes))], **columns}, geometry=shapes, crs=UTM
    )
    return read_hazards(frame, assume=SHA)


def kinds(frame, kind=None):
    return [(note.kind, note.rows) for note in notes_of(frame) if note.rows and kind in (None, note.kind)]


def texts(frame, kind):
    return [note.text for note in notes_of(frame) if note.kind == kind and note.rows]


def test_null_and_empty_geometry_is_set_aside_each_counted():
    result = read([box(0, 0), None, Polygon(), None])
    assert result["hazard_id"].tolist() == ["0"]
    assert kinds(result) == [("set aside", ("2", "4")), ("set aside", ("3",))]


def test_a_bow_tie_keeps_both_its_loops():
    bow = Polygon([(500_000, 4_900_000), (500_100, 4_900_100), (500_100, 4_900_000), (500_000, 4_900_100)])
    result = read([bow, box(1_000, 0)])
    assert result.is_valid.all()
    assert result["area_m2"][0] == pytest.approx(5_000, rel=2e-3)
    assert kinds(result) == [("repaired", ("1",))]


def test_land_that_an_outline_goes_around_twice_stays_inside():
    corner = [
        (500_000 + 100 * np.cos(4 * np.pi * k / 5), 4_900_000 + 100 * np.sin(4 * np.pi * k / 5))
        for k in range(5)
    ]
    star = read([Polygon(corner)])
    assert star.geometry[0].contains(Point(500_000, 4_900_000))
    assert not shapely.make_valid(Polygon(corner)).contains(Point(500_000, 4_900_000))


def test_an_outline_that_encloses_nothing_is_set_aside():
    flat = Polygon([(500_000, 4_900_000), (500_100, 4_900_000), (500_050, 4_900_000)])
    result = read([flat, box(0, 0)])
    assert kinds(result) == [("set aside", ("1",))]
    assert "fewer than 3 points, or all on a line" in texts(result, "set aside")[0]


def test_slivers_are_set_aside_and_what_is_just_larger_is_kept():
    side = SLIVER_M2**0.5
    result = read([box(0, 0, 0.99 * side), box(0, 500, 1.01 * side)])
    assert result["hazard_id"].tolist() == ["1"]
    assert kinds(result) == [("set aside", ("1",))]


def test_collections_are_reduced_to_their_polygons():
    mixed = GeometryCollection(
        [box(0, 0), LineString([(0, 0), (1, 1)]), GeometryCollection([MultiPolygon([box(500, 0)])])]
    )
    bare = GeometryCollection(
        [Point(500_000, 4_900_000), LineString([(500_000, 4_900_000), (500_001, 4_900_000)])]
    )
    result = read([mixed, bare])
    assert result.geom_type.tolist() == ["MultiPolygon"]
    assert result["area_m2"][0] == pytest.approx(20_000, rel=2e-3)
    assert kinds(result) == [("repaired", ("1",)), ("set aside", ("2",))]


def test_heights_are_dropped_and_told():
    result = read([shapely.force_3d(box(0, 0), 300.0), box(500, 0)])
    assert not result.has_z.any()
    assert "heights (Z values) of 1 geometries" in [note.text for note in notes_of(result)]


def test_shells_turn_counter_clockwise_and_holes_clockwise():
    hole = Polygon(list(box(0, 0).exterior.coords)[::-1], [list(box(10, 10, 10).exterior.coords)])
    result = read([hole, hole.reverse()], hazard_id=["a", "b"])
    for shape in result.geometry:
        assert shape.exterior.is_ccw
        assert not shape.interiors[0].is_ccw


def test_a_jump_of_more_than_five_kilometres_is_told():
    spike = Polygon([(500_000, 4_900_000), (500_100, 4_900_000), (500_100, 4_905_200), (500_000, 4_900_100)])
    long = Polygon(
        [
            (500_000 + x, 4_800_000 + y)
            for x, y in ((0, 0), (4_000, 0), (8_000, 0), (8_000, 50), (4_000, 50), (0, 50))
        ]
    )
    result = read([spike, long])
    assert [rows for kind, rows in kinds(result)] == [("1",)]
    assert "more than 5 km between two points" in texts(result, "advice")[0]


def test_overlaps_are_counted_like_brute_force():
    rng = np.random.default_rng(4)
    shapes = [box(*rng.uniform(0, 1_500, 2), rng.uniform(20, 300)) for _ in range(60)]
    shapes += [box(10_000, 0), box(10_100, 0), box(10_020, 20, 10)]  # beside, and inside
    pairs = {
        (i, j)
        for i in range(len(shapes))
        for j in range(i)
        if shapely.intersection(shapes[i], shapes[j]).area > 0
    }
    result = read(shapes)
    (note,) = [note for note in notes_of(result) if "overlaps another" in note.text]
    assert f"({len(pairs):,} pairs)" in note.text
    assert set(note.rows) == {str(n + 1) for pair in pairs for n in pair}


def test_work_on_overlaps_is_bounded_and_says_so(monkeypatch):
    monkeypatch.setattr("ccm_geo.io.advice._OVERLAP_PAIRS", 10)
    result = read([box(n, 0) for n in range(30)])
    assert any("at least 10 pairs" in text for text in texts(result, "advice"))


def test_one_outline_under_two_ids_is_told():
    turned = Polygon(list(box(0, 0).exterior.coords)[2:] + list(box(0, 0).exterior.coords)[1:3])
    result = read([box(0, 0), turned, box(500, 0)])
    assert ("advice", ("1", "2")) in kinds(result)
    assert "the same outline stands under several ids" in texts(result, "advice")


def test_recorded_sizes_far_from_measured_ones_are_told():
    result = read([box(500 * n, 0) for n in range(4)], area_recorded_m2=[10_000, 4_000, 25_000, 0])
    assert kinds(result) == [("advice", ("2", "3"))]
    hectares = read([box(500 * n, 0) for n in range(3)], area_recorded_m2=[1.0, 1.0, 1.1])
    assert "the recorded sizes look like hectares: multiply them by 10,000" in texts(hectares, "advice")[0]


def test_lines_among_hazards_are_set_aside_or_drawn_with_a_radius():
    line = LineString([(500_000, 4_900_000), (500_100, 4_900_000)])
    result = read([box(0, 0), line])
    assert kinds(result) == [("set aside", ("2",))]
    assert "a Polygon is needed, not a LineString" in texts(result, "set aside")
    frame = gpd.GeoDataFrame({"hazard_id": ["a"]}, geometry=[line], crs=UTM)
    drawn = read_hazards(frame, assume=SHA, radius_m=10)
    assert drawn["area_m2"][0] == pytest.approx(100 * 20 + np.pi * 100, rel=0.01)


def test_a_radius_leaves_polygons_alone():
    frame = gpd.GeoDataFrame(
        {"hazard_id": ["a", "b"]}, geometry=[box(0, 0), Point(501_000, 4_900_000)], crs=UTM
    )
    result = read_hazards(frame, assume=SHA, radius_m=50)
    assert result.geometry[0].equals(box(0, 0))
    assert result["area_m2"][1] == pytest.approx(np.pi * 2_500, rel=0.01)


def test_points_of_many_parts_become_one():
    frame = gpd.GeoDataFrame({"kind": ["a"]}, geometry=[MultiPoint([(18, 44)])], crs="EPSG:4326")
    assert read_facilities(frame).geometry[0].wkt == "POINT (18 44)"


def test_coordinates_that_are_not_numbers_are_set_aside():
    shapes = [Point(18, 44), Point(np.inf, 44), Point(18, 45)]
    result = read_accidents(gpd.GeoDataFrame({"killed": [1, 2, 3]}, geometry=shapes, crs="EPSG:4326"))
    assert result["killed"].tolist() == [1, 3]
    assert ("set aside", ("2",)) in kinds(result)


def test_parts_of_roads_in_a_collection_stay():
    mixed = GeometryCollection([LineString([(18, 44), (18.1, 44)]), Point(18, 44)])
    result = read_roads(gpd.GeoDataFrame({"road_id": ["a"]}, geometry=[mixed], crs="EPSG:4326"))
    assert result.geom_type.tolist() == ["LineString"]


def test_the_union_does_not_change_by_repair_of_valid_areas():
    shapes = [box(130 * n, 0) for n in range(10)]
    assert shapely.union_all(read(shapes).geometry.to_numpy()).equals(shapely.union_all(shapes))


def test_no_row_leaves_without_a_note():
    rng = np.random.default_rng(1)
    good = [box(200 * n, 0) for n in range(40)]
    bad = [None, Polygon(), LineString([(0, 0), (1, 1)]), box(0, 900, 0.1), Polygon([(0, 0), (1, 0), (2, 0)])]
    shapes = [*good, *(bad[int(rng.integers(5))] for _ in range(30))]
    order = rng.permutation(len(shapes))
    frame = gpd.GeoDataFrame(
        {"hazard_id": [str(n) for n in order]}, geometry=[shapes[n] for n in order], crs=UTM
    )
    result = read_hazards(frame, assume=SHA)
    gone = {row for kind, rows in kinds(result) if kind in ("set aside", "dropped") for row in rows}
    assert {str(at + 1) for at, n in enumerate(order) if n >= len(good)} == gone
    assert len(result) + len(gone) == len(frame)


def test_what_was_read_once_needs_no_repair_when_read_again():
    bow = Polygon([(500_000, 4_900_000), (500_100, 4_900_100), (500_100, 4_900_000), (500_000, 4_900_100)])
    once = read(
        [bow, box(1_000, 0), box(1_000, 0), None], hazard_id=["a", "b", "b", "c"], name=["", "x", "y", "z"]
    )
    again = read_hazards(once)
    assert kinds(once, "repaired") != []
    assert kinds(again, "repaired") == kinds(again, "set aside") == []
    assert again["hazard_id"].tolist() == ["a", "b", "b (2)"]
    assert again["area_m2"].tolist() == once["area_m2"].tolist()


def test_inputs_are_not_changed():
    frame = gpd.GeoDataFrame({"hazard_id": ["a", "a"]}, geometry=[shapely.force_3d(box(0, 0)), None], crs=UTM)
    before = frame.copy(deep=True)
    read_hazards(frame, assume=SHA)
    pd.testing.assert_frame_equal(pd.DataFrame(frame), pd.DataFrame(before))
