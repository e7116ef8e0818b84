"""Tables of a PostGIS database, read over its address; nothing is written there."""

import hashlib
import os
from typing import Any

import geopandas as gpd
import pandas as pd

from ccm_geo.errors import MissingDependency, SourceError

_SCHEMES = ("postgresql", "postgres", "postgis", "postgresql+psycopg")
_OWN = ("information_schema", "pg_catalog", "topology", "tiger")
_PLACED = (
    "SELECT f_geometry_column FROM geometry_columns WHERE f_table_schema = :schema AND f_table_name = :name "
    "ORDER BY 1"
)


def is_address(source: str | os.PathLike[str]) -> bool:
    """Tell whether a source is the address of a PostGIS database.

    Examples
    --------
    >>> is_address("postgresql://planner@localhost/mines"), is_address("hazards.gpkg")
    (True, False)
    """
    scheme, mark, _ = os.fspath(source).partition("://")
    return bool(mark) and scheme.lower() in _SCHEMES


def read_database(address: str, layer: str | None, table: str) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Read one table or view of a PostGIS database.

    Parameters
    ----------
    address
        ``postgresql://user:password@host:port/database``; the password may stand in PGPASSWORD or ~/.pgpass.
    layer
        ``schema.table``, or a table of the schema ``public``; without it the database is not asked.
    table
        What it is read as, for messages.

    Returns
    -------
    pandas.DataFrame, dict
        The records, a GeoDataFrame where the table has a geometry, and where they came from. The address,
        which may hold a password, is in neither.

    Raises
    ------
    MissingDependency
        If the packages for it are not installed.
    SourceError
        If no table is named, the database cannot be reached, or it has no such table.
    """
    if layer is None:
        raise SourceError(
            f"{table}: name the table of the database with layer=, such as layer='public.hazards'; a name "
            "that is not there, such as layer='?', lists those that are"
        )
    try:
        import psycopg  # noqa: F401, PLC0415 - an extra, needed for databases alone
        import sqlalchemy  # noqa: PLC0415 - as above
    except ImportError as error:
        raise MissingDependency(
            f"{table}: a database is read with packages that are not installed; install them with "
            "python -m pip install 'ccm_geo[postgis]'"
        ) from error
    try:
        url = sqlalchemy.make_url(address).set(drivername="postgresql+psycopg")
        engine = sqlalchemy.create_engine(url, poolclass=sqlalchemy.NullPool)
        with engine.connect().execution_options(postgresql_readonly=True) as connection:
            schema, name = _named(sqlalchemy.inspect(connection), layer, f"{table}: {url.database}")
            frame = _records(sqlalchemy, connection, schema, name)
    except sqlalchemy.exc.SQLAlchemyError as error:
        reason = str(getattr(error, "orig", None) or error).strip().splitlines()[0]
        raise SourceError(f"{table}: the database cannot be read ({reason})") from None
    told = {
        "file": str(url.database),
        "sha256": _digest(frame),
        "rows": len(frame),
        "layer": f"{schema}.{name}",
    }
    return frame, told


def _named(inspector: Any, layer: str, what: str) -> tuple[str, str]:
    """Find the table that is meant, or say which there are."""
    there = [
        (schema, name)
        for schema in inspector.get_schema_names()
        if schema not in _OWN
        for name in (*inspector.get_table_names(schema), *inspector.get_view_names(schema))
        if name not in {"spatial_ref_sys", "geometry_columns", "geography_columns"}
    ]
    listed = ", ".join(repr(f"{schema}.{name}") for schema, name in sorted(there)) or "none"
    meant = [(s, n) for s, n in there if layer == f"{s}.{n}" or (s == "public" and layer == n)]
    if not meant:
        raise SourceError(f"{what}: there is no table {layer!r}; the tables are {listed}")
    return meant[0]


def _records(sqlalchemy: Any, connection: Any, schema: str, name: str) -> pd.DataFrame:
    star, whole = sqlalchemy.text("*"), sqlalchemy.table(name, schema=schema)
    query = sqlalchemy.select(star).select_from(whole)
    has_places = sqlalchemy.inspect(connection).has_table("geometry_columns")
    asked = {"schema": schema, "name": name}
    placed = connection.execute(sqlalchemy.text(_PLACED), asked).scalars().all() if has_places else []
    if not placed:
        return pd.read_sql(query, connection)
    if len(placed) > 1:
        raise SourceError(
            f"{schema}.{name} has several geometries ({', '.join(placed)}); make a view with the one needed"
        )
    return gpd.read_postgis(query, connection, geom_col=placed[0])


def _digest(frame: pd.DataFrame) -> str:
    """Give the SHA-256 of the records, in the order in which they came."""
    plain = frame
    if isinstance(frame, gpd.GeoDataFrame):
        plain = pd.DataFrame(frame.to_wkb(hex=True))
    return hashlib.sha256(plain.to_csv(index=False).encode()).hexdigest()
