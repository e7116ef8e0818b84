"""Tables of a PostGIS database; those that need one run where CCM_GEO_POSTGIS holds its address."""

import os
import sys

import geopandas as gpd
import pandas as pd
import pytest
import shapely

from ccm_geo.errors import MissingDependency, SourceError
from ccm_geo.io import read_hazards, read_population

ADDRESS = os.environ.get("CCM_GEO_POSTGIS", "")
needs_database = pytest.mark.skipif(
    not ADDRESS, reason="CCM_GEO_POSTGIS holds no address of a PostGIS database"
)


def hazards():
    return gpd.GeoDataFrame(
        {"hazard_id": ["A", "B"], "hazard_class": ["SHA", "CHA"], "status": ["open", "closed"]},
        geometry=[shapely.box(102, 18, 102.01, 18.01), None],
        crs="EPSG:4326",
    )


def test_a_database_without_its_packages_names_the_command_that_installs_them(monkeypatch):
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(MissingDependency, match=r"hazards: .* python -m pip install 'ccm_geo\[postgis\]'"):
        read_hazards("postgresql://planner:secret@localhost/mines", layer="hazards")


def test_a_database_is_not_asked_before_a_table_is_named():
    with pytest.raises(SourceError, match="hazards: name the table of the database with layer=") as caught:
        read_hazards("postgresql://planner:secret@localhost/mines")
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    "address", ["https://example.org/h.gpkg", "mysql://a@b/c", "/vsicurl/http://a/b.gpkg"]
)
def test_other_addresses_are_refused(address):
    with pytest.raises(
        SourceError, match="hazards: addresses are not read here, except of a PostGIS database"
    ):
        read_hazards(address)


@pytest.fixture
def schema():
    sqlalchemy = pytest.importorskip("sqlalchemy")
    engine = sqlalchemy.create_engine(sqlalchemy.make_url(ADDRESS).set(drivername="postgresql+psycopg"))
    name = 'ccm_geo "test": 1'
    quoted = engine.dialect.identifier_preparer.quote(name)
    with engine.begin() as connection:
        connection.execute(sqlalchemy.text(f"CREATE SCHEMA {quoted.replace(':', chr(92) + ':')}"))
    try:
        hazards().to_postgis("hazards", engine, schema=name)
        hazards().to_crs(32648).to_postgis('Ha:za"rds; --', engine, schema=name)
        pd.DataFrame({"lon": [102.5], "lat": [18.5], "people": [7]}).to_sql("v", engine, schema=name)
        yield name
    finally:
        with engine.begin() as connection:
            connection.execute(sqlalchemy.text(f"DROP SCHEMA {quoted.replace(':', chr(92) + ':')} CASCADE"))
        engine.dispose()


@needs_database
def test_tables_with_and_without_geometry_are_read_as_from_a_file(schema):
    read = read_hazards(ADDRESS, layer=f"{schema}.hazards")
    wanted = read_hazards(hazards())
    pd.testing.assert_frame_equal(read.to_wkb(), wanted.to_wkb(), check_dtype=False)
    assert read.attrs["notes"] == wanted.attrs["notes"]
    assert read.attrs["source"][0]["layer"] == f"{schema}.hazards"
    assert len(read.attrs["source"][0]["sha256"]) == 64
    assert read_hazards((ADDRESS, f'{schema}.Ha:za"rds; --')).crs.to_epsg() == 32648
    assert read_population(ADDRESS, layer=f"{schema}.v")["people"].tolist() == [7]
    assert "@" not in str(read.attrs["source"])


@needs_database
def test_what_is_not_there_is_told_without_the_password(schema):
    with pytest.raises(SourceError, match="there is no table 'nothing'; the tables are"):
        read_hazards(ADDRESS, layer="nothing")
    with pytest.raises(SourceError, match="hazards: the database cannot be read") as caught:
        read_hazards("postgresql://planner:secret@127.0.0.1:1/mines", layer="hazards")
    assert "secret" not in str(caught.value)
