import json
import sqlite3
import zipfile

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import rasterio
import shapely
from affine import Affine

from ccm_geo.errors import CRSError, DataError, SourceError
from ccm_geo.io import read_accidents, read_admin, read_facilities, read_hazards, read_population, read_roads
from ccm_geo.schemas import PopulationRaster, notes_of

HOSTILE = "x'; DROP TABLE hazards; -- {0} %s $(touch pwned) \" ü"


CORNER = Affine(0.1, 0, 18, 0, -0.1, 44)


def hazards(crs="EPSG:4326"):
    layer = gpd.GeoDataFrame(
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
    )
    return layer.to_crs(crs)


def texts(frame):
    return [note.text for note in notes_of(frame)]


@pytest.mark.parametrize(
    ("ending", "driver"),
    [
        (".gpkg", "GPKG"),
        (".shp", "ESRI Shapefile"),
        (".geojson", "GeoJSON"),
        (".json", "GeoJSON"),
        (".fgb", "FlatGeobuf"),
        (".sqlite", "SQLite"),
    ],
)
@pytest.mark.parametrize("crs", ["EPSG:4326", "EPSG:32648"])
def test_every_vector_format_gives_the_same_hazards(tmp_path, ending, driver, crs):
    if driver == "GeoJSON":
        crs = "EPSG:4326"  # the format holds nothing else
    if ending == ".shp":
        shapefile(hazards(crs), tmp_path / "h.shp")
    else:
        hazards(crs).to_file(tmp_path / f"h{ending}", driver=driver)
    read = read_hazards(tmp_path / f"h{ending}")
    same_as(read, crs)
    assert read.attrs["source"][0]["file"] == f"h{ending}"
    assert read.attrs["source"][0]["rows"] == 2
    assert len(read.attrs["source"][0]["sha256"]) == 64


def shapefile(frame, path):
    frame.rename(columns=lambda name: name[:10]).to_file(path, encoding="utf-8")


def same_as(read, crs="EPSG:4326"):
    """Order of rows may differ (FlatGeobuf sorts by place), values may not."""
    read = read.set_index("hazard_id").sort_index()
    assert read.index.tolist() == ["HA-1", "HA-2"]
    assert read["hazard_class"].tolist() == ["SHA", "CHA"]
    assert read["status"].tolist() == ["open", "handed_over"]
    assert read["ordnance"]["HA-1"] == "cluster;uxo"
    assert pd.isna(read["ordnance"]["HA-2"])
    assert read["area_recorded_m2"]["HA-1"] == 900_000
    assert pd.isna(read["area_recorded_m2"]["HA-2"])
    assert read["name"].tolist() == ["ບ້ານ ໂພນສະຫວັນ", "{{ 7*7 }}"]
    assert read.crs.equals(crs, ignore_axis_order=True)
    wanted = hazards(crs).geometry
    assert shapely.equals_exact(
        shapely.normalize(read.geometry.to_numpy()), shapely.normalize(wanted.to_numpy()), 1e-6
    ).all()


@pytest.mark.parametrize("ending", [".parquet", ".geoparquet"])
def test_geoparquet(tmp_path, ending):
    hazards("EPSG:32648").rename_geometry("shape").to_parquet(tmp_path / f"h{ending}")
    same_as(read_hazards(tmp_path / f"h{ending}"), "EPSG:32648")


def test_plain_parquet_with_lon_and_lat(tmp_path):
    pd.DataFrame({"lon": [18.0], "lat": [44.0], "people": [5]}).to_parquet(tmp_path / "p.parquet")
    assert read_population(tmp_path / "p.parquet").geometry[0].wkt == "POINT (18 44)"


def test_kml(tmp_path):
    hazards()[["name", "geometry"]].to_file(tmp_path / "h.kml", driver="KML")
    read = read_hazards(tmp_path / "h.kml", assume={"hazard_class": "SHA", "status": "open"})
    assert read["name"].tolist() == ["ບ້ານ ໂພນສະຫວັນ", "{{ 7*7 }}"]
    assert read["hazard_id"].tolist() == ["row-1", "row-2"]


def test_topojson_needs_a_crs(tmp_path):
    arcs = [[[102, 18], [102, 19], [103, 19], [103, 18], [102, 18]]]
    area = {"type": "Polygon", "arcs": [[0]], "properties": {"PROV_CODE": "01"}}
    text = {
        "type": "Topology",
        "objects": {"a": {"type": "GeometryCollection", "geometries": [area]}},
        "arcs": arcs,
    }
    (tmp_path / "a.topojson").write_text(json.dumps(text))
    with pytest.raises(CRSError, match="admin: the layer has no coordinate reference system; say which one"):
        read_admin(tmp_path / "a.topojson")
    assert read_admin(tmp_path / "a.topojson", crs="EPSG:4326")["code"].tolist() == ["01"]


def test_a_zipped_shapefile(tmp_path):
    shapefile(hazards(), tmp_path / "h.shp")
    with zipfile.ZipFile(tmp_path / "h.zip", "w") as archive:
        for part in tmp_path.glob("h.*"):
            if part.suffix != ".zip":
                archive.write(part, f"folder/{part.name}")
    same_as(read_hazards(tmp_path / "h.zip"))


def test_an_archive_of_several_files_asks_for_one(tmp_path):
    with zipfile.ZipFile(tmp_path / "t.zip", "w") as archive:
        archive.writestr("a.csv", "lon,lat,people\n18,44,5\n")
        archive.writestr("b.csv", "lon,lat,people\n18,44,7\n")
    with pytest.raises(
        SourceError, match=r"t\.zip: the archive holds 'a.csv', 'b.csv'; name one with layer="
    ):
        read_population(tmp_path / "t.zip")
    assert read_population((tmp_path / "t.zip", "b"))["people"].tolist() == [7]


def test_a_zipped_geojson_and_workbook(tmp_path):
    hazards().to_file(tmp_path / "h.geojson")
    with zipfile.ZipFile(tmp_path / "h.zip", "w") as archive:
        archive.write(tmp_path / "h.geojson", "h.geojson")
    same_as(read_hazards(tmp_path / "h.zip"))


def test_a_table_of_sqlite_without_geometry_by_its_name(tmp_path):
    with sqlite3.connect(tmp_path / "o.sqlite") as base:
        base.execute("CREATE TABLE META (x DOUBLE)")
        base.execute("CREATE TABLE NODE (LAT DOUBLE, LON DOUBLE, TAG TEXT, VALUE TEXT, POPULATION INTEGER)")
        rows = [
            (44, 18, "place", "town", 50),
            (44, 18, "place", "country", 90),
            (44.1, 18, "place", "village", None),
        ]
        base.executemany("INSERT INTO NODE VALUES (?, ?, ?, ?, ?)", rows)
    base.close()
    with zipfile.ZipFile(tmp_path / "o.sqlite.zip", "w") as archive:
        archive.write(tmp_path / "o.sqlite", "o.sqlite")
    for file in ("o.sqlite", "o.sqlite.zip"):
        read = read_population(
            (tmp_path / file, "NODE"), where={"TAG": "place", "VALUE": ["town", "village"]}
        )
        assert read["people"].fillna(-1).tolist() == [50, -1]
        kinds = [(note.kind, note.affected) for note in notes_of(read)]
        assert ("unknown", 1) in kinds
        assert ("dropped", 1) in kinds


@pytest.mark.parametrize("crs", [None, "EPSG:32648"])
def test_csv_with_well_known_text(tmp_path, crs):
    layer = hazards(crs or "EPSG:4326")
    frame = pd.DataFrame(layer.drop(columns="geometry")).assign(wkt=layer.to_wkt()["geometry"])
    frame.to_csv(tmp_path / "h.csv", index=False)
    if crs is None:
        with pytest.raises(CRSError, match="hazards: the layer has no coordinate reference system"):
            read_hazards(tmp_path / "h.csv")
    same_as(read_hazards(tmp_path / "h.csv", crs=crs or "EPSG:4326"), crs or "EPSG:4326")


@pytest.mark.parametrize("ending", [".csv", ".xlsx"])
def test_tables_keep_codes_as_text(tmp_path, ending):
    frame = pd.DataFrame(
        {"Longitud": [-75.5], "Latitud": [6.2], "codigo": ["05001"], "fecha": ["2019-05-01"]}
    )
    _ = (
        frame.to_csv(tmp_path / "a.csv", index=False)
        if ending == ".csv"
        else frame.to_excel(tmp_path / "a.xlsx", index=False)
    )
    read = read_accidents(tmp_path / f"a{ending}")
    assert read["codigo"][0] == "05001"
    assert read["date"][0] == pd.Timestamp("2019-05-01")
    assert "longitude and latitude in 'Longitud' and 'Latitud' are taken as WGS 84" in texts(read)


def test_cells_of_a_workbook_keep_what_they_hold(tmp_path):
    frame = pd.DataFrame(
        {
            "lon": [18.5],
            "lat": [44.0],
            "accident_id": [5001],
            "date": [pd.Timestamp("2020-02-03")],
            "civilian": [True],
        }
    )
    frame.to_excel(tmp_path / "a.xlsx", index=False)
    read = read_accidents(tmp_path / "a.xlsx")
    assert read["accident_id"][0] == "5001"
    assert read["date"][0] == pd.Timestamp("2020-02-03")
    assert read["civilian"][0]


def test_a_workbook_of_several_sheets_asks_for_one(tmp_path):
    with pd.ExcelWriter(tmp_path / "a.xlsx") as book:
        for sheet in ("one", "two"):
            pd.DataFrame({"lon": [18.0], "lat": [44.0]}).to_excel(book, sheet_name=sheet, index=False)
        pd.DataFrame().to_excel(book, sheet_name="empty", index=False)
    with pytest.raises(
        SourceError, match=r"a\.xlsx: sheets with data are 'one', 'two'; name one with layer="
    ):
        read_accidents(tmp_path / "a.xlsx")
    assert len(read_accidents((tmp_path / "a.xlsx", "two"))) == 1
    with pytest.raises(SourceError, match="there is no sheet 'three'; the sheets are 'one', 'two', 'empty'"):
        read_accidents(tmp_path / "a.xlsx", layer="three")


def test_several_files_are_one_table_and_rows_name_their_file(tmp_path):
    for year, shapes in ((2005, [shapely.Point(18, 44), None]), (2006, [None, shapely.Point(18.1, 44)])):
        layer = gpd.GeoDataFrame({"accident_id": [f"{year}a", f"{year}b"]}, geometry=shapes, crs="EPSG:4326")
        layer.to_file(tmp_path / f"{year}.geojson")
    read = read_accidents(sorted(tmp_path.glob("*.geojson")))
    assert read["accident_id"].tolist() == ["2005a", "2006b"]
    assert notes_of(read)[0].rows == ("2005.geojson:2", "2006.geojson:1")
    assert [file["file"] for file in read.attrs["source"]] == ["2005.geojson", "2006.geojson"]


def test_files_of_one_name_in_different_folders_stay_apart(tmp_path):
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "x.csv").write_text("lon,lat,killed\n18,44,1\nnowhere,44,2\n")
    read = read_accidents([tmp_path / "a" / "x.csv", tmp_path / "b" / "x.csv"])
    assert [note.rows for note in notes_of(read) if note.kind == "set aside"] == [("x.csv:2", "x.csv (2):2")]


def test_files_in_different_crs_are_brought_to_the_first(tmp_path):
    for name, crs in (("a", "EPSG:32648"), ("b", "EPSG:4326")):
        layer = hazards(crs)
        layer["hazard_id"] += name
        layer.to_file(tmp_path / f"{name}.gpkg")
    read = read_hazards([tmp_path / "a.gpkg", tmp_path / "b.gpkg"])
    assert read.crs == "EPSG:32648"
    assert read["area_m2"][0] == pytest.approx(read["area_m2"][2])


@pytest.mark.parametrize("name", [HOSTILE, "O'Brien", "a b", "ບ້ານ", "-rf", "{0}"])
def test_hostile_file_and_layer_names_are_only_names(tmp_path, name):
    layer = name.replace("-rf", "rf").replace("{0}", "0")  # the writer of GeoPackages refuses these
    hazards().to_file(tmp_path / "h.gpkg", layer=layer)
    hazards().iloc[:1].to_file(tmp_path / "h.gpkg", layer="other")
    path = (tmp_path / "h.gpkg").rename(tmp_path / f"{name}.gpkg")
    before = path.read_bytes()
    same_as(read_hazards((path, layer)))
    with pytest.raises(SourceError, match="name one with layer="):
        read_hazards(path)
    with pytest.raises(SourceError, match="there is no layer 'x; DROP TABLE other'"):
        read_hazards(path, layer="x; DROP TABLE other")
    assert path.read_bytes() == before
    assert [one.name for one in tmp_path.iterdir()] == [path.name]


def test_a_hostile_name_in_an_archive(tmp_path):
    hazards().to_file(tmp_path / "h.geojson")
    with zipfile.ZipFile(tmp_path / "{h}.zip", "w") as archive:
        archive.write(tmp_path / "h.geojson", "a {b} 'c'.geojson")
        archive.writestr("../../evil.csv", "lon,lat\n1,1\n")
    same_as(read_hazards(tmp_path / "{h}.zip"))


@pytest.mark.parametrize(
    ("ending", "content"),
    [
        (
            ".kml",
            "<OGRVRTDataSource><OGRVRTLayer><SrcDataSource>{0}</SrcDataSource></OGRVRTLayer></OGRVRTDataSource>",
        ),
        (".geojson", '{{"type": "gdal_streamed_alg", "command_line": "gdal vector pipeline read {0}"}}'),
        (".gpkg", "<OGRVRTDataSource><SrcDataSource>{0}</SrcDataSource></OGRVRTDataSource>"),
        (".geojson", "lon,lat\n1,2"),
        (".xlsx", "no workbook"),
        (".zip", "no archive"),
        (".parquet", "no parquet"),
        (".exe", "MZ"),
    ],
)
def test_content_that_is_not_what_the_ending_says_is_refused(tmp_path, ending, content):
    (tmp_path / "real.csv").write_text("lon,lat\n18,44\n")
    path = tmp_path / f"h{ending}"
    path.write_text(content.format(tmp_path / "real.csv"))
    with pytest.raises(SourceError, match=rf"h\{ending}") as caught:
        read_accidents(path)
    assert str(tmp_path) not in str(caught.value)


@pytest.mark.parametrize(
    "path",
    [
        "https://example.org/h.geojson",
        "postgresql://user:secret@host/base",
        "/vsicurl/https://example.org/h.gpkg",
        "PG:dbname=x",
    ],
)
def test_addresses_are_refused_and_never_asked(path):
    with pytest.raises(SourceError) as caught:
        read_hazards(path)
    assert "secret" not in str(caught.value)


def test_a_missing_file_names_its_neighbours_without_the_folder(tmp_path):
    hazards().to_file(tmp_path / "hazards_2026.gpkg")
    with pytest.raises(
        SourceError, match=r"there is no file 'hazard_2026\.gpkg'; did you mean hazards_2026"
    ) as caught:
        read_hazards(tmp_path / "hazard_2026.gpkg")
    assert str(tmp_path) not in str(caught.value)


@pytest.mark.parametrize(
    ("source", "text"), [([], "the list of files is empty"), (5, "int is not a path"), (".", "is a folder")]
)
def test_what_is_no_source_says_so(source, text):
    with pytest.raises(SourceError, match=text):
        read_hazards(source)


def test_a_frame_in_memory_is_not_changed_and_keeps_its_named_index():
    frame = hazards().drop(columns="hazard_id").set_index(pd.Index(["p", "q"], name="hazard_id"))
    frame.attrs["mine"] = 1
    before = frame.copy(deep=True)
    read = read_hazards(frame)
    assert read["hazard_id"].tolist() == ["p", "q"]
    assert frame.equals(before)
    assert frame.attrs == {"mine": 1}
    assert read.attrs["source"] == [{"file": "(in memory)", "sha256": "", "rows": 2, "layer": None}]
    assert "mine" not in read.attrs


def test_two_columns_of_one_heading_are_refused():
    frame = pd.DataFrame([[18.0, 44.0, 1, 2]], columns=["lon", "lat", "killed", "killed"])
    with pytest.raises(DataError, match="the heading 'killed' stands over several columns"):
        read_accidents(frame)


def test_rings_too_short_or_open_do_not_stop_the_layer(tmp_path):
    ring = [[18, 44], [18.01, 44], [18.01, 44.01], [18, 44.01]]
    shapes = [[[18, 44], [18.01, 44], [18, 44]], ring, [*ring, ring[0]]]
    features = [
        {
            "type": "Feature",
            "properties": {"hazard_id": str(n)},
            "geometry": {"type": "Polygon", "coordinates": [shape]},
        }
        for n, shape in enumerate(shapes)
    ]
    (tmp_path / "h.geojson").write_text(json.dumps({"type": "FeatureCollection", "features": features}))
    read = read_hazards(tmp_path / "h.geojson", assume={"hazard_class": "SHA", "status": "open"})
    assert read["hazard_id"].tolist() == ["1", "2"]
    assert ("set aside", ("1",)) in [(note.kind, note.rows) for note in notes_of(read)]


def grid(path, crs="EPSG:4326", driver="GTiff", nodata=-99999, count=1, transform=None):
    with rasterio.open(
        path,
        "w",
        driver=driver,
        width=3,
        height=2,
        count=count,
        dtype="float32",
        crs=crs,
        nodata=nodata,
        transform=transform or CORNER,
    ) as raster:
        for band in range(1, count + 1):
            raster.write(np.full((2, 3), float(band), "float32"), band)
    return path


def test_a_raster_is_described_not_read(tmp_path):
    raster = read_population(grid(tmp_path / "p.tif", count=2), band=2, unit="people_per_km2")
    assert isinstance(raster, PopulationRaster)
    assert (raster.width, raster.height, raster.band, raster.unit, raster.nodata) == (
        3,
        2,
        2,
        "people_per_km2",
        -99999,
    )
    assert raster.crs.to_epsg() == 4326
    assert raster.bounds == pytest.approx((18, 43.8, 18.3, 44))
    assert raster.source[0]["file"] == "p.tif"
    assert texts(raster) if hasattr(raster, "attrs") else [note.kind for note in raster.notes] == ["assumed"]


def test_an_ascii_grid_needs_a_crs(tmp_path):
    (tmp_path / "p.asc").write_text(
        "ncols 2\nnrows 1\nxllcorner 18\nyllcorner 44\ncellsize 0.1\nNODATA_value -9\n1 2\n"
    )
    with pytest.raises(
        CRSError, match=r"population: p\.asc has no coordinate reference system; say which one it is"
    ):
        read_population(tmp_path / "p.asc")
    raster = read_population(tmp_path / "p.asc", crs="EPSG:4326")
    assert (raster.width, raster.nodata) == (2, -9)


def test_a_zipped_raster_can_be_opened_by_its_path(tmp_path):
    grid(tmp_path / "p.tif")
    with zipfile.ZipFile(tmp_path / "p.zip", "w") as archive:
        archive.write(tmp_path / "p.tif", "p.tif")
    with rasterio.open(read_population(tmp_path / "p.zip").path) as raster:
        assert raster.read(1).sum() == 6


def test_a_raster_that_does_not_fit_is_refused(tmp_path):
    with pytest.raises(DataError, match=r"p\.tif has 1 bands, band=2 is not one of them"):
        read_population(grid(tmp_path / "p.tif"), band=2)
    with pytest.raises(DataError, match="unit 'heads' is unknown"):
        read_population(tmp_path / "p.tif", unit="heads")
    with pytest.raises(
        CRSError, match=r"p\.tif says that its CRS is WGS 84, crs= says WGS 84 / UTM zone 48N"
    ):
        read_population(tmp_path / "p.tif", crs="EPSG:32648")
    with pytest.raises(SourceError, match=r"there is no file 'q\.tif'"):
        read_population(tmp_path / "q.tif")
    metres = grid(tmp_path / "m.tif", transform=Affine(100, 0, 500_000, 0, -100, 4_000_000))
    with pytest.raises(
        CRSError, match=r"cells of m\.tif run from 500000 .* give the projected CRS with crs="
    ):
        read_population(metres)
    far = grid(tmp_path / "f.tif", crs="EPSG:32648", transform=Affine(100, 0, -9_000_000, 0, -100, 100))
    with pytest.raises(CRSError, match="area of use"):
        read_population(far)


def test_a_raster_that_points_elsewhere_is_refused(tmp_path):
    grid(tmp_path / "real.tif")
    (tmp_path / "p.tif").write_text(
        '<VRTDataset rasterXSize="3" rasterYSize="2"><VRTRasterBand dataType="Float32" band="1">'
        f"<SimpleSource><SourceFilename>{tmp_path / 'real.tif'}</SourceFilename></SimpleSource>"
        "</VRTRasterBand></VRTDataset>"
    )
    with pytest.raises(SourceError, match=r"p\.tif cannot be read as GeoTIFF or ASCII grid") as caught:
        read_population(tmp_path / "p.tif")
    assert str(tmp_path) not in str(caught.value)


def test_a_raster_without_nodata_says_so(tmp_path):
    raster = read_population(grid(tmp_path / "p.tif", nodata=None))
    assert raster.notes[0].kind == "unknown"
    with pytest.warns(rasterio.errors.NotGeoreferencedWarning):
        grid(tmp_path / "q.tif", transform=Affine.identity())
    with pytest.raises(CRSError, match="does not say where its cells lie"):
        read_population(tmp_path / "q.tif")


def test_roads_and_facilities_come_from_files_as_well(tmp_path):
    line = shapely.LineString([(18, 44), (18.1, 44.1)])
    roads = gpd.GeoDataFrame(
        {"osm_id": [7], "fclass": ["track"], "maxspeed": ["walk"]}, geometry=[line], crs="EPSG:4326"
    )
    roads.to_file(tmp_path / "r.gpkg")
    read = read_roads(tmp_path / "r.gpkg")
    assert read[["road_id", "road_class"]].to_numpy().tolist() == [["7", "track"]]
    assert pd.isna(read["speed_kmh"][0])
    assert any(note.kind == "unknown" for note in notes_of(read))
    building = gpd.GeoDataFrame(
        {"amenity": ["clinic"]}, geometry=[shapely.box(18, 44, 18.1, 44.1)], crs="EPSG:4326"
    )
    building.to_file(tmp_path / "f.geojson")
    clinics = read_facilities(tmp_path / "f.geojson")
    assert clinics.geom_type.tolist() == ["Point"]
    assert building.geometry[0].contains(clinics.geometry[0])
