"""Known truths of real public data, which is dirty in ways that nobody invents."""

import numpy as np
import pandas as pd
import pyogrio
import pytest
import shapely

from ccm_geo import space
from ccm_geo.errors import CRSError, DataError
from ccm_geo.io import (
    read_accidents,
    read_admin,
    read_displacement,
    read_facilities,
    read_hazards,
    read_population,
)
from ccm_geo.schemas import notes_of, validate

pytestmark = pytest.mark.shared

SHA = {"hazard_class": "SHA", "status": "open"}
SETTLEMENTS = {
    "TAG": "place",
    "VALUE": [
        "city",
        "town",
        "village",
        "hamlet",
        "suburb",
        "neighbourhood",
        "isolated_dwelling",
        "locality",
        "quarter",
        "farm",
    ],
}


def affected(frame):
    return {note.text: note.affected for note in notes_of(frame) if note.affected}


@pytest.fixture(scope="module")
def suspect(shared_data):
    return read_hazards(shared_data / "bih-mines-west" / "suspect_areas_simplyfied.geojson", assume=SHA)


@pytest.fixture(scope="module")
def events(shared_data):
    return sorted((shared_data / "col-eventos-minas").glob("*.json"))


def test_suspect_areas_of_bosnia(suspect):
    validate(suspect, "hazards")
    assert suspect.attrs["source"][0]["rows"] == 4_219
    assert len(suspect) == 2_965
    counted = affected(suspect)
    assert counted["there is no geometry"] == 1_251
    assert counted["the geometry is empty, of fewer points than it needs"] == 3
    assert counted["an invalid polygon (its outline crosses or touches itself) is made valid"] == 143
    assert set(suspect.geom_type) <= {"Polygon", "MultiPolygon"}


def test_union_of_suspect_areas_of_bosnia(suspect):
    flat = space.project(suspect, space.study_crs(suspect))
    assert shapely.union_all(flat.to_numpy()).area / 1e6 == pytest.approx(391.66, rel=1e-3)
    assert suspect["area_m2"].sum() / 1e6 > 391.66  # sheet edges overlap


def test_accidents_of_bosnia(shared_data, suspect):
    accidents = read_accidents(shared_data / "bih-mines-west" / "incidents.geojson")
    assert len(accidents) == 454
    inside = shapely.STRtree(suspect.geometry.to_numpy()).query(accidents.geometry.to_numpy(), "intersects")[
        0
    ]
    assert len(np.unique(inside)) == 75


def test_thirty_years_of_events_in_colombia(shared_data, events):
    admin = shared_data / "col-mgn-municipios" / "co_2018_MGN_MPIO_POLITICO.geojson"
    read = read_accidents(events, admin=admin)
    assert len(events) == len(read.attrs["source"]) == 30
    assert len(read) == 36_527
    found = {note.text.split(";")[0].split(" given")[0]: note for note in notes_of(read)}
    assert found["the record repeats an earlier one in full"].affected == 4_927
    assert found["the point lies outside every administrative area"].affected == 1_009
    (stray,) = [note for text, note in found.items() if "sign of its longitude looks wrong" in text]
    assert stray.rows == ("2004.json:1375",)
    assert "longitude 74.2" in stray.text
    given = pyogrio.read_dataframe(next(path for path in events if path.name == "2004.json")).geometry[1374]
    assert given.x == pytest.approx(74.2342, abs=1e-4)
    assert read["date"].dt.year.value_counts()[2006] == len(pyogrio.read_dataframe(events[16]))
    assert len(read_accidents(events, repeats="drop")) == 36_527 - 4_927


def test_accidents_and_suspected_minefields_of_colombia(events):
    accidents = read_accidents(events, where={"TIPO_EVENTO": "1"})
    assert accidents["TIPO_EVENTO"].unique().tolist() == ["1"]
    fields = read_hazards(events, where={"TIPO_EVENTO": "8"}, assume=SHA, radius_m=250)
    validate(fields, "hazards")
    assert fields["area_m2"].median() == pytest.approx(np.pi * 250**2, rel=0.01)
    raw = pd.concat([pd.DataFrame(pyogrio.read_dataframe(path))["TIPO_EVENTO"] for path in events])
    assert len(accidents) == (raw == "1").sum()
    assert len(fields) == (raw == "8").sum()


@pytest.mark.parametrize("ending", ["csv", "xlsx"])
def test_places_of_kherson_from_degrees_minutes_and_seconds(shared_data, ending):
    folder = shared_data / "ukr-geonames-dms"
    read = read_facilities(folder / f"fiz-geo-khersonska.{ending}")
    truth = pyogrio.read_dataframe(folder / "fiz-geo-khersonska.geojson").set_index("Реєстраційний номер")
    assert len(read) == 950
    truth = truth.geometry.loc[read["Реєстраційний номер"]]
    assert np.abs(read.geometry.x.to_numpy() - truth.x.to_numpy()).max() < 0.001
    assert np.abs(read.geometry.y.to_numpy() - truth.y.to_numpy()).max() < 0.001


def test_settlements_of_bosnia_without_the_country_among_them(shared_data):
    source = (shared_data / "osm-sqlite-points" / "bosnia-herzegovina.sqlite.zip", "NODE")
    naive = read_population(source, where={"TAG": "place"})
    assert naive["people"].sum() == 6_584_735
    assert any("is it a total?" in text for text in affected(naive))
    right = read_population(source, where=SETTLEMENTS)
    assert right["people"].sum() == 1_963_137
    assert not any("is it a total?" in text for text in affected(right))


@pytest.mark.parametrize("country", ["angola", "kosovo"])
def test_settlements_of_other_countries(shared_data, country):
    source = (shared_data / "osm-sqlite-points" / f"{country}.sqlite.zip", "NODE")
    assert read_population(source, where=SETTLEMENTS)["people"].min() >= 0
    hospitals = read_facilities(source, where={"VALUE": ["hospital"]}, rename={"VALUE": "kind"})
    assert hospitals["kind"].unique().tolist() == ["hospital"]


def test_settlements_of_kharkiv(shared_data):
    read = read_population(shared_data / "ukr-kharkiv-settlements" / "kharkiv_settlements_points.geojson")
    assert len(read) == 1_751
    assert read["people"].sum() == 2_750_808
    assert read["place_id"].str.startswith("UA63").all()


@pytest.mark.parametrize(
    ("name", "total"), [("abw_ppp_2020_UNadj_constrained", 106_766), ("mdg_population", 23_764_992)]
)
def test_population_rasters(shared_data, name, total):
    import rasterio  # noqa: PLC0415 - the oracle of this test alone

    raster = read_population(shared_data / "population-rasters" / f"{name}.tif")
    assert raster.crs.to_epsg() == 4326
    assert raster.notes == ()
    with rasterio.open(raster.path) as file:
        assert file.read(raster.band, masked=True).sum(dtype=float) == pytest.approx(total, rel=1e-5)


def test_provinces_of_cambodia_as_kml_and_topojson(shared_data):
    for name, crs in (("kh_provinces.kml", None), ("kh_provinces.topojson", "EPSG:4326")):
        read = read_admin(shared_data / "khm-odc" / name, crs=crs)
        assert len(read) == 24
        assert read.is_valid.all()
        assert affected(read)["an invalid polygon (its outline crosses or touches itself) is made valid"] == 4
    with pytest.raises(CRSError, match="no coordinate reference system"):
        read_admin(shared_data / "khm-odc" / "kh_provinces.topojson")


@pytest.mark.parametrize(
    ("name", "count"),
    [
        ("bih-admin/adm3_municipalities.geojson", 142),
        ("bih-admin/administrative_level_1.geojson", 3),
        ("col-mgn-municipios/co_2018_MGN_MPIO_POLITICO.geojson", 1_122),
        ("col-mgn-municipios/co_2018_MGN_DPTO_POLITICO.geojson", 33),
        ("lao-admin/cod_ab_lao_adm1.json", 18),
        ("lao-admin/geoBoundaries-LAO-ADM2.geojson", 148),
        ("ukr-oblast/oblast.geojson", 27),
        ("natural-earth-lowres/naturalearth_lowres.shp", 177),
    ],
)
def test_administrative_areas(shared_data, name, count):
    read = read_admin(shared_data / name)
    validate(read, "admin")
    assert len(read) == count
    if "code" in read:
        assert read["code"].is_unique


def test_two_municipalities_are_called_novi_grad_and_codes_keep_their_zeros(shared_data):
    bosnia = read_admin(shared_data / "bih-admin" / "adm3_municipalities.geojson")
    assert (bosnia["name"] == "Novi Grad").sum() == 2
    assert affected(bosnia)["several areas bear one name: join tables by code, never by name"] == 2
    colombia = read_admin(shared_data / "col-mgn-municipios" / "co_2018_MGN_MPIO_POLITICO.geojson")
    assert "05001" in set(colombia["code"])
    medellin = pd.DataFrame({"group": ["idp"], "people": [10], "place_id": ["x"], "origin_code": ["05001"]})
    moved = read_displacement(
        medellin, admin=shared_data / "col-mgn-municipios" / "co_2018_MGN_MPIO_POLITICO.geojson"
    )
    assert moved["origin"][0].contains(shapely.Point(-75.57, 6.24))


def test_national_displacement_with_tags_and_blanks(shared_data):
    read = read_displacement(
        shared_data / "idmc-displacement" / "idps_download-displacement-data.csv",
        rename={"Conflict Stock Displacement": "people", "ISO3": "place_id"},
        assume={"group": "idp"},
    )
    assert read["place_id"].is_unique
    assert (read["people"] > 0).all()
    assert affected(read)["people is blank, which is unknown and not zero"] > 0
    assert read.set_index("place_id")["people"]["AB9"] == 19_000


def test_displacement_events_by_two_columns_or_by_one_text(shared_data):
    path = shared_data / "idmc-displacement" / "ind_idmc_idu_events.csv"
    rename, assume = {"figure": "people"}, {"group": "idp"}
    columns = read_displacement(path, rename=rename, assume=assume)
    table = pd.read_csv(path, dtype=str).drop(columns=["latitude", "longitude"])
    text = read_displacement(table, rename=rename, assume=assume)
    assert len(text) == len(columns)
    assert shapely.equals_exact(text.geometry.to_numpy(), columns.geometry.to_numpy(), 1e-9).all()


def test_tables_without_places_say_so_and_are_read_by_any_encoding(shared_data):
    for name in (
        "cod_population_admin1.csv",
        "download-caf-admpop-adm2-2015-v2.csv",
        "download-cod-admpop-adm2-2020.csv",
    ):
        with pytest.raises(DataError, match="no geometry and no columns with coordinates"):
            read_population(shared_data / "ocha-admin-tables" / name)
    central = read_displacement(
        shared_data / "ocha-admin-tables" / "download-caf-admpop-adm2-2015-v2.csv",
        rename={"T_TL": "people", "Adm2_Pcode": "place_id"},
        assume={"group": "idp"},
    )
    assert "Nana Mambéré" in set(central["adm1"])
    assert any("read as Windows-1252" in note.text for note in notes_of(central))
