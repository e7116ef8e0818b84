import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely

from ccm_geo.errors import CcmGeoError, CRSError, DataError
from ccm_geo.io import (
    read_accidents,
    read_admin,
    read_facilities,
    read_hazards,
    read_population,
    read_roads,
)
from ccm_geo.schemas import notes_of, validate

DATE_CURE = "write it as 2026-12-31, or leave the cell blank where it is unknown"
CODE_CURE = "map it with values={'hazard_class': {'Suspected': 'SHA'}}, or another column with rename="
SHA = {"hazard_class": "SHA", "status": "open"}


def areas(count=2, **columns):
    shapes = [shapely.box(18 + 0.1 * n, 44, 18.01 + 0.1 * n, 44.01) for n in range(count)]
    fresh = {"hazard_id": [f"H{n}" for n in range(count)], "hazard_class": "SHA", "status": "open"}
    return gpd.GeoDataFrame({**fresh, **columns}, geometry=shapes, crs="EPSG:4326")


def spots(count=2, **columns):
    return pd.DataFrame({"lon": 18 + 0.1 * np.arange(count), "lat": 44.0, **columns})


def kinds(frame):
    return [(note.kind, note.rows) for note in notes_of(frame)]


def texts(frame):
    return [note.text for note in notes_of(frame)]


def refused(read, *args, **options):
    with pytest.raises(DataError) as caught:
        read(*args, **options)
    return caught.value.failures


def test_what_is_read_is_what_the_table_promises():
    for read, source, table in (
        (read_hazards, areas(), "hazards"),
        (read_accidents, spots(), "accidents"),
        (read_population, spots(people=[1, 2]), "population"),
        (read_facilities, spots(kind="clinic"), "facilities"),
        (read_admin, areas()[["geometry"]], "admin"),
    ):
        frame = read(source)
        validate(frame, table)
        assert isinstance(frame, gpd.GeoDataFrame)
        assert frame.index.equals(pd.RangeIndex(len(frame)))
        assert frame.columns[-1] == "geometry"


def test_all_faults_of_a_table_come_at_once():
    frame = areas(
        3,
        hazard_id=["A", None, "C"],
        hazard_class=["Suspected", "CHA", "Suspected"],
        area_recorded_m2=["12 000", "large", "-5"],
        surveyed_on=["2020-01-01", "yesterday", None],
    )
    blank_or_right = "correct it, or leave the cell blank where it is unknown"
    assert refused(read_hazards, frame) == (
        f"row 2, area_recorded_m2 'large' is not a number; {blank_or_right}",
        f"row 2, surveyed_on 'yesterday' is not a date; {DATE_CURE}",
        "row 2, hazard_id is blank; fill it",
        f"rows 1, 3, hazard_class 'Suspected' is not SHA or CHA; {CODE_CURE}",
        "row 3, area_recorded_m2 -5 is below 0; correct it in the source",
    )


def test_rows_in_messages_are_those_of_the_source_not_of_what_is_left():
    frame = areas(3, hazard_class=["SHA", "SHA", "?!"])
    frame.loc[0, "geometry"] = None
    assert refused(read_hazards, frame)[0].startswith("row 3, hazard_class '?!'")


def test_negative_people_and_killed_are_faults():
    assert refused(read_population, spots(people=["5", "-5"])) == (
        "row 2, people -5 is below 0; correct it in the source",
    )
    assert refused(read_accidents, spots(killed=[1, -2])) == (
        "row 2, killed -2 is below 0; correct it in the source",
    )


def test_a_missing_class_has_its_cure_and_the_cure_works():
    frame = areas().drop(columns=["hazard_class", "status"])
    failures = refused(read_hazards, frame)
    assert [fault.split(";")[0] for fault in failures] == ["no column hazard_class", "no column status"]
    assert "assume={'hazard_class': 'SHA'}" in failures[0]
    read = read_hazards(frame, assume=SHA)
    assert read["hazard_class"].tolist() == ["SHA", "SHA"]
    assert "hazard_class is 'SHA' for every record, as assume= says" in texts(read)


def test_assume_fills_blanks_and_names_them():
    read = read_hazards(areas(status=["closed", None]), assume={"status": "open"})
    assert read["status"].tolist() == ["closed", "open"]
    assert ("assumed", ("2",)) in kinds(read)


def test_known_headings_are_renamed_and_told():
    frame = areas().rename(columns={"hazard_class": "Hazard_Cla", "status": "Status_Cha"})
    frame["Hazard_Typ"] = ["AP", "ERW; cluster munition"]
    read = read_hazards(frame, values={"ordnance": {"ERW": "uxo"}})
    assert read["ordnance"].tolist() == ["ap_mine", "uxo;cluster"]
    told = "'Hazard_Cla' as hazard_class, 'Status_Cha' as status, 'Hazard_Typ' as ordnance"
    assert texts(read)[0] == f"columns read by their known headings: {told}"


def test_what_the_planner_renames_comes_before_known_headings():
    frame = areas().assign(hazard_class=["x", "y"], Type=["SHA", "CHA"], keep=[1, 2])
    read = read_hazards(frame, rename={"Type": "hazard_class"})
    assert read["hazard_class"].tolist() == ["SHA", "CHA"]
    assert read["hazard_class_original"].tolist() == ["x", "y"]
    assert read["keep"].tolist() == [1, 2]


def test_a_rename_of_what_is_not_there_names_what_is_near():
    (fault,) = refused(read_hazards, areas(Typ="x"), rename={"Type": "hazard_class"})
    assert (
        fault == "rename= names 'Type', which is no column of the file (or was dropped); did you mean 'Typ'?"
    )
    (fault,) = refused(read_hazards, areas(a="x", b="y"), rename={"a": "name", "b": "name"})
    assert fault == "rename= gives 'name' to several columns; choose one"


def test_codes_are_mapped_as_the_planner_says_whatever_their_type():
    frame = areas(hazard_class=[1, 2], status=["Activo", "Cerrado"])
    read = read_hazards(
        frame,
        values={"hazard_class": {1: "SHA", "2": "CHA"}, "status": {"Activo": "open", "Cerrado": "closed"}},
    )
    assert read[["hazard_class", "status"]].to_numpy().tolist() == [["SHA", "open"], ["CHA", "closed"]]


def test_values_of_a_column_that_is_not_there_are_a_fault():
    assert "values= names 'Status'" in refused(read_hazards, areas(), values={"Status": {"a": "open"}})[0]


@pytest.mark.parametrize("status", ["Open", " OPEN ", "open"])
def test_case_and_spaces_of_codes_do_not_matter(status):
    assert read_hazards(areas(status=status))["status"].tolist() == ["open", "open"]


def test_words_for_nothing_are_missing_not_codes():
    read = read_hazards(areas(3, evidence=["n/a", "Direct", ""], ordnance=["unknown", "UXO", "-"]))
    assert read["evidence"].isna().tolist() == [True, False, True]
    assert read["ordnance"].isna().tolist() == [True, False, True]


def test_where_keeps_records_and_counts_the_others():
    frame = spots(3, TIPO_EVENTO=["1", "2", "1"])
    for where in (
        {"TIPO_EVENTO": "1"},
        {"TIPO_EVENTO": 1},
        {"TIPO_EVENTO": ["1", "9"]},
        lambda table: table["TIPO_EVENTO"] == "1",
    ):
        read = read_accidents(frame, where=where)
        assert read["accident_id"].tolist() == ["row-1", "row-3"]
        assert ("dropped", ("2",)) in kinds(read)


def test_where_knows_our_codes_and_theirs():
    frame = areas(status=["Activo", "Cerrado"])
    codes = {"status": {"Activo": "open", "Cerrado": "closed"}}
    for status in ("open", "Activo"):
        assert read_hazards(frame, where={"status": status}, values=codes)["hazard_id"].tolist() == ["H0"]


def test_faults_of_what_where_leaves_out_do_not_count():
    assert len(read_hazards(areas(hazard_class=["SHA", "?"]), where={"hazard_class": "SHA"})) == 1


def test_where_is_data_and_is_never_run():
    assert refused(read_hazards, areas(), where={"__import__('os').system('false')": "1"})[0].startswith(
        "where= names"
    )
    with pytest.raises(DataError, match="must give True or False for every record"):
        read_hazards(areas(), where=lambda table: table["hazard_id"])


def test_ids_are_made_from_the_record_and_told():
    read = read_hazards(areas(3).drop(columns="hazard_id").assign(geometry=[None, *areas(3).geometry[1:]]))
    assert read["hazard_id"].tolist() == ["row-2", "row-3"]
    assert "there is no hazard_id: made from the number of the record, such as row-2" in texts(read)


def test_one_id_on_two_areas_is_told_apart():
    read = read_hazards(areas(4, hazard_id=["A", "A", "A (2)", "A"]))
    assert read["hazard_id"].tolist() == ["A", "A (3)", "A (2)", "A (4)"]
    assert ("repaired", ("2", "4")) in kinds(read)


def test_ids_that_became_decimals_are_whole_again():
    assert read_roads(lines(road_id=[7.0, 8.0]))["road_id"].tolist() == ["7", "8"]


def lines(**columns):
    shapes = [shapely.LineString([(18, 44), (18.1, 44)]), shapely.LineString([(18, 44), (18, 44.1)])]
    return gpd.GeoDataFrame(columns or {"a": [1, 2]}, geometry=shapes, crs="EPSG:4326")


def test_records_repeated_in_full_are_dropped_where_they_have_an_id():
    twice = pd.concat([areas(), areas(1)], ignore_index=True).assign(OBJECTID=[1, 2, 3])
    read = read_hazards(twice)
    assert read["hazard_id"].tolist() == ["H0", "H1"]
    assert ("dropped", ("3",)) in kinds(read)
    assert len(read_hazards(twice, repeats="keep")) == 3


def test_accidents_without_id_are_kept_unless_the_planner_says_otherwise():
    frame = pd.DataFrame({"lon": [18, 18, 18.1], "lat": [44, 44, 44], "year": ["2005"] * 3})
    kept = read_accidents(frame)
    assert len(kept) == 3
    assert ("advice", ("2",)) in kinds(kept)
    assert len(read_accidents(frame, repeats="drop")) == 2


def test_people_at_one_place_are_not_counted_twice():
    frame = pd.DataFrame({"lon": [18, 18], "lat": [44, 44], "people": [5, 5]})
    assert read_population(frame)["people"].tolist() == [5]


def test_strict_refuses_what_would_be_mended():
    frame = areas(3)
    frame.loc[1, "geometry"] = None
    assert refused(read_hazards, frame, strict=True) == ("row 2: there is no geometry",)
    assert len(read_hazards(areas(), strict=True)) == 2


@pytest.mark.parametrize("read", [read_accidents, read_facilities])
def test_personal_columns_are_dropped_at_the_door_and_named(read):
    frame = spots(
        2, Victim_Name=["Ana Anić", "B"], dob=["2001-01-01", None], telephone=["1", "2"], village=["x", "y"]
    )
    result = read(frame)
    assert texts(result)[0] == (
        "columns with personal data are dropped at the door: 'Victim_Name', 'dob', 'telephone'"
    )
    assert "village" in result
    assert "Anić" not in result.to_csv() + repr(result.attrs)


def test_personal_data_cannot_be_renamed_in():
    (fault,) = refused(read_accidents, spots(victim_name="Ana"), rename={"victim_name": "ordnance"})
    assert fault.startswith("rename= names 'victim_name', which is no column of the file (or was dropped)")
    with pytest.raises(DataError, match="where= names 'victim_name'"):
        read_accidents(spots(victim_name="Ana"), where={"victim_name": "Ana"})


def test_names_of_columns_that_hold_places_are_not_taken_for_addresses():
    frame = pd.DataFrame({"address": ["POINT (18 44)"], "killed": [1]})
    assert read_accidents(frame, wkt="address", crs="EPSG:4326").geometry[0].wkt == "POINT (18 44)"


def test_places_with_blank_people_are_kept_as_unknown():
    read = read_population(spots(3, POPULATION=["12", "", "n/a"]))
    assert read["people"].fillna(-1).tolist() == [12, -1, -1]
    assert ("unknown", ("2", "3")) in kinds(read)


def test_a_total_among_settlements_is_told():
    read = read_population(spots(30, people=[1_000.0] + [10.0] * 29))
    assert ("advice", ("1",)) in kinds(read)
    assert any("is it a total?" in text for text in texts(read))
    assert kinds(read_population(spots(30, people=[10.0] * 30))) == [("assumed", ())]


def test_coordinates_come_from_the_columns_named():
    frame = pd.DataFrame({"E": ["18,5"], "N": ["44,5"], "killed": ["2"]})
    with pytest.raises(
        DataError, match="no geometry and no columns with coordinates; the columns are 'E', 'N', 'killed'"
    ):
        read_accidents(frame)
    assert read_accidents(frame, lon="E", lat="N").geometry[0].wkt == "POINT (18.5 44.5)"
    with pytest.raises(DataError, match="no column 'X'; the columns are"):
        read_accidents(frame, lon="X", lat="N")
    with pytest.raises(DataError, match="give both lon= and lat="):
        read_accidents(frame, lon="E")


def test_metres_in_columns_need_a_crs():
    frame = pd.DataFrame({"x": [500_000], "y": [4_900_000]})
    with pytest.raises(
        CRSError, match="'x' and 'y' have no coordinate reference system; say which one with crs="
    ):
        read_accidents(frame)
    read = read_accidents(frame, crs="EPSG:32634")
    assert read.crs == "EPSG:32634"
    assert read.geometry[0].wkt == "POINT (500000 4900000)"


def test_unreadable_coordinates_are_set_aside_unless_all_are():
    read = read_accidents(pd.DataFrame({"lon": ["18", "?", ""], "lat": ["44", "44", "44"]}))
    assert len(read) == 1
    assert ("set aside", ("2",)) in kinds(read)
    assert ("set aside", ("3",)) in kinds(read)
    with pytest.raises(
        DataError, match=r"no coordinates can be read from 'lon' and 'lat' .*write them as 46\.607"
    ):
        read_accidents(pd.DataFrame({"lon": ["east"], "lat": ["north"]}))


def test_swapped_columns_of_degrees_are_told():
    frame = pd.DataFrame({"lon": ["N 44° 5'"], "lat": ["E 18° 5'"]})
    with pytest.raises(DataError, match="they look swapped: give lon='lat', lat='lon'"):
        read_accidents(frame)


def test_swapped_axes_metres_and_wrong_places_are_errors_with_a_cure():
    swapped = areas().set_geometry(gpd.GeoSeries([shapely.Point(14, 102).buffer(0.1)] * 2, crs="EPSG:4326"))
    with pytest.raises(CRSError, match="latitude and longitude look swapped"):
        read_hazards(swapped)
    metres = areas().to_crs("EPSG:32634").set_crs("EPSG:4326", allow_override=True)
    with pytest.raises(CRSError, match="they look like metres: give the projected CRS with crs="):
        read_hazards(metres)
    away = areas().to_crs("EPSG:32634").set_crs("EPSG:31370", allow_override=True)
    with pytest.raises(CRSError, match="outside the area of use"):
        read_hazards(away)
    with pytest.raises(CRSError, match="no coordinate reference system; say which one it is with crs="):
        read_hazards(areas().set_crs(None, allow_override=True))


def test_a_crs_that_contradicts_the_file_is_an_error_unless_the_files_cannot_be_true():
    with pytest.raises(
        CRSError, match=r"the file says that its CRS is WGS 84, crs= says WGS 84 / UTM zone 34N; leave"
    ):
        read_hazards(areas(), crs="EPSG:32634")
    with pytest.raises(CRSError, match="crs='nonsense' is no coordinate reference system"):
        read_hazards(areas(), crs="nonsense")
    assert len(read_hazards(areas(), crs="OGC:CRS84")) == 2
    metres = areas().to_crs("EPSG:32634").set_crs("EPSG:4326", allow_override=True)
    read = read_hazards(metres, crs="EPSG:32634")
    assert read.crs == "EPSG:32634"
    assert "the file's CRS (WGS 84) cannot be true; WGS 84 / UTM zone 34N is used, as crs= says" in texts(
        read
    )


def test_few_impossible_coordinates_are_set_aside():
    read = read_accidents(pd.DataFrame({"lon": [18, 18.1, 1812, 0], "lat": [44, 44.1, 44, 0]}))
    assert len(read) == 2
    assert ("set aside", ("3",)) in kinds(read)
    assert ("set aside", ("4",)) in kinds(read)


def test_areas_and_buildings_count_as_points_where_points_are_needed():
    read = read_accidents(areas()[["geometry"]])
    assert read.geom_type.tolist() == ["Point", "Point"]
    assert areas().geometry.contains(read.geometry, align=False).all()


def test_points_outside_every_district_are_counted_and_kept():
    districts = areas(1)[["geometry"]]
    read = read_accidents(pd.DataFrame({"lon": [18.005, 18.05], "lat": [44.005, 44.005]}), admin=districts)
    assert len(read) == 2
    assert ("advice", ("2",)) in kinds(read)
    with pytest.raises(CRSError, match="accidents and admin do not overlap"):
        read_accidents(pd.DataFrame({"lon": [44.005], "lat": [18.005]}), admin=districts)


def test_a_longitude_with_the_wrong_sign_is_told_with_its_row():
    frame = pd.DataFrame({"lon": [*np.linspace(-77, -71, 30), 74.2], "lat": np.linspace(1, 9, 31)})
    read = read_accidents(frame)
    assert len(read) == 31
    assert ("advice", ("31",)) in kinds(read)
    assert any("the sign of its longitude looks wrong" in text for text in texts(read))
    frame.loc[30, ["lon", "lat"]] = [20.0, 50.0]
    assert any(text.endswith("check its coordinates") for text in texts(read_accidents(frame)))


def test_stacked_points_are_told():
    read = read_accidents(pd.DataFrame({"lon": [18.0] * 5 + [18.1], "lat": 44.0, "killed": range(6)}))
    assert ("advice", ("1", "2", "3", "4", "5")) in kinds(read)


def test_two_areas_of_one_name_are_told_and_codes_stay_text():
    read = read_admin(areas(2)[["geometry"]].assign(shapeName="Novi Grad", shapeID=["0100", "0200"]))
    assert read[["code", "name"]].to_numpy().tolist() == [["0100", "Novi Grad"], ["0200", "Novi Grad"]]
    assert any("join tables by code, never by name" in text for text in texts(read))


def test_points_become_areas_with_a_radius():
    frame = spots(2, hazard_id=["a", "b"])
    with pytest.raises(
        DataError, match="all records are points; say how far each reaches with radius_m=, metres"
    ):
        read_hazards(frame, assume=SHA)
    with pytest.raises(DataError, match="must be above 0"):
        read_hazards(frame, assume=SHA, radius_m=-5)
    read = read_hazards(frame, assume=SHA, radius_m=250)
    assert read.geom_type.tolist() == ["Polygon", "Polygon"]
    assert read.crs == "EPSG:4326"
    assert read["area_m2"].tolist() == pytest.approx([np.pi * 250**2] * 2, rel=0.01)
    assert ("assumed", ("1", "2")) in kinds(read)


def test_the_order_of_rows_does_not_matter():
    frame = areas(5, area_recorded_m2=[1.0, 2, 3, 4, 5])
    one = read_hazards(frame).set_index("hazard_id")
    other = read_hazards(frame.iloc[::-1]).set_index("hazard_id").loc[one.index]
    pd.testing.assert_frame_equal(pd.DataFrame(one), pd.DataFrame(other))


def test_areas_are_the_same_in_degrees_and_in_metres():
    degrees, metres = read_hazards(areas()), read_hazards(areas().to_crs("EPSG:32634"))
    assert degrees["area_m2"].tolist() == pytest.approx(metres["area_m2"].tolist(), rel=1e-6)


def test_an_empty_table_is_read():
    assert len(read_hazards(areas().iloc[:0])) == 0
    assert len(read_accidents(spots(0))) == 0
    assert len(read_population(spots(0, people=[]))) == 0


def test_user_text_in_messages_is_shown_not_used():
    hostile = "{0.__class__} {% raw %} %s" + "x" * 200
    (fault,) = refused(read_hazards, areas(1, hazard_class=hostile))
    assert "{0.__class__} {% raw %}" in fault
    assert len(fault) < 400


def test_errors_are_ours():
    with pytest.raises(CcmGeoError):
        read_hazards("no such file.gpkg")
