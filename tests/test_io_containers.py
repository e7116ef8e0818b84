"""KMZ files and file geodatabases: containers that a phone and an ArcGIS desk bring."""

import shutil
import zipfile

import geopandas as gpd
import pandas as pd
import pyogrio
import pytest
import shapely

from ccm_geo.errors import SourceError
from ccm_geo.io import read_accidents, read_hazards, read_population
from ccm_geo.schemas import notes_of

SHA = {"hazard_class": "SHA", "status": "open"}


def need(driver):
    if "w" not in pyogrio.list_drivers().get(driver, ""):
        pytest.skip(f"GDAL here does not write {driver}")


def hazards(crs="EPSG:4326"):
    return gpd.GeoDataFrame(
        {
            "hazard_id": ["HA-1", "HA-2"],
            "hazard_class": ["SHA", "CHA"],
            "status": ["open", "handed_over"],
            "ordnance": ["cluster;uxo", None],
            "area_recorded_m2": [900_000.0, None],
            "name": ["ບ້ານ ໂພນສະຫວັນ", "{{ 7*7 }}"],
        },
        geometry=[shapely.box(102, 18, 102.01, 18.01), shapely.box(102.1, 18, 102.11, 18.01)],
        crs="EPSG:4326",
    ).to_crs(crs)


def same_as(read, crs="EPSG:4326"):
    wanted = hazards(crs)
    for name in wanted.columns.drop("geometry"):
        assert [*map(str, read[name].astype(object).fillna("-"))] == [
            *map(str, wanted[name].astype(object).fillna("-"))
        ]
    assert read.crs.equals(crs, ignore_axis_order=True)
    assert not read.has_z.any()
    assert shapely.hausdorff_distance(read.geometry.to_numpy(), wanted.geometry.to_numpy()).max() < 1e-3


@pytest.mark.parametrize("crs", ["EPSG:4326", "EPSG:32648"])
def test_a_file_geodatabase_as_a_folder_and_zipped(tmp_path, crs):
    need("OpenFileGDB")
    hazards(crs).to_file(tmp_path / "mine action.gdb", driver="OpenFileGDB", layer="Hazards")
    shutil.make_archive(str(tmp_path / "sent"), "zip", tmp_path, "mine action.gdb")
    for name in ("mine action.gdb", "sent.zip"):
        read = read_hazards(tmp_path / name)
        same_as(read, crs)
        assert read.attrs["source"][0] | {"sha256": ""} == {
            "file": name, "sha256": "", "rows": 2, "layer": None,
        }  # fmt: skip
        assert len(read.attrs["source"][0]["sha256"]) == 64


def test_a_geodatabase_of_several_layers_asks_for_one(tmp_path):
    need("OpenFileGDB")
    path = tmp_path / "imsma.gdb"
    hazards().to_file(path, driver="OpenFileGDB", layer="Hazards")
    spots = gpd.GeoDataFrame(
        {"killed": [1.0], "date": [pd.Timestamp("2024-05-01")]}, geometry=[shapely.Point(102, 18)], crs=4326
    )
    spots.to_file(path, driver="OpenFileGDB", layer="Accidents")
    pyogrio.write_dataframe(
        pd.DataFrame({"code": ["01"], "people": [5.0]}),
        path,
        driver="OpenFileGDB",
        layer="Lookup",
        append=True,
    )
    with pytest.raises(SourceError, match=r"imsma\.gdb: the layers are 'Hazards', 'Accidents'; name one"):
        read_hazards(path)
    same_as(read_hazards((path, "Hazards")))
    accidents = read_accidents(path, layer="Accidents")
    assert accidents["date"].tolist() == [pd.Timestamp("2024-05-01")]
    with pytest.raises(
        SourceError, match=r"imsma\.gdb: there is no layer 'Hazard'; the layers are 'Hazards'"
    ):
        read_hazards(path, layer="Hazard")


def test_a_folder_that_is_no_geodatabase_is_refused_in_words(tmp_path):
    (tmp_path / "empty.gdb").mkdir()
    with pytest.raises(SourceError, match=r"empty\.gdb cannot be read") as caught:
        read_hazards(tmp_path / "empty.gdb")
    assert str(tmp_path) not in str(caught.value)


def test_a_kmz_keeps_its_fields_and_loses_its_heights(tmp_path):
    need("LIBKML")
    hazards().to_file(tmp_path / "h.kmz", driver="LIBKML")
    read = read_hazards(tmp_path / "h.kmz")
    same_as(read)
    assert "heights (Z values) of 2 geometries" in [note.text for note in notes_of(read)]


KML = """<?xml version="1.0" encoding="UTF-8"?>
<kml xmlns="http://www.opengis.net/kml/2.2"><Document>{link}
<Folder><name>Areas</name><Placemark><name>North {{{{ 7*7 }}}}</name><Polygon><outerBoundaryIs><LinearRing>
<coordinates>18,44,120 18.01,44,120 18.01,44.01,130 18,44,120</coordinates>
</LinearRing></outerBoundaryIs></Polygon></Placemark></Folder>
<Folder><name>Places</name><Placemark><name>Village</name><Point><coordinates>18,44</coordinates></Point>
</Placemark></Folder></Document></kml>"""


def phone_kmz(path, link=""):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("doc.kml", KML.format(link=link))
        archive.writestr("files/icon.png", b"not a picture")
    return path


def test_a_kmz_as_a_phone_writes_it_has_its_folders_as_layers(tmp_path):
    need("LIBKML")
    path = phone_kmz(tmp_path / "phone.kmz")
    with pytest.raises(
        SourceError, match=r"phone\.kmz: the layers are 'Areas', 'Places'; name one with layer="
    ):
        read_hazards(path)
    read = read_hazards(path, layer="Areas", assume=SHA)
    assert read["name"].tolist() == ["North {{ 7*7 }}"]
    assert read["area_m2"][0] == pytest.approx(445_600, rel=0.01)  # half of 0.01 by 0.01 degrees
    place = read_population((path, "Places"), assume={"people": 40})
    assert place[["name", "people"]].to_numpy().tolist() == [["Village", 40]]


def test_a_kmz_that_links_elsewhere_fetches_nothing(tmp_path):
    need("LIBKML")
    other = tmp_path / "other.kml"
    other.write_text(KML.format(link="").replace("North", "Stolen"), encoding="utf-8")
    link = f"<NetworkLink><Link><href>{other.as_uri()}</href></Link></NetworkLink>"
    path = phone_kmz(tmp_path / "h.kmz", link)
    read = read_hazards(path, layer="Areas", assume=SHA)
    assert read["name"].tolist() == ["North {{ 7*7 }}"]


def test_a_kmz_that_is_no_archive_is_refused(tmp_path):
    (tmp_path / "h.kmz").write_text("<kml/>")
    with pytest.raises(SourceError, match=r"h\.kmz: the content is not what the ending \.kmz says"):
        read_hazards(tmp_path / "h.kmz")
