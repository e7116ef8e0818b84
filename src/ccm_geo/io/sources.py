"""Opening what a planner names: files of many formats, layers, sheets, archives and frames in memory.

A file is opened only as what its name says it is. The reading library would otherwise look into the
content, and content can tell it to fetch other files or addresses.
"""

import difflib
import hashlib
import io
import os
import shutil
import tempfile
import warnings
import zipfile
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import geopandas as gpd
import pandas as pd
import pyogrio
import shapely

from ccm_geo.errors import CRSError, DataError, SourceError
from ccm_geo.space import project

from . import delimited
from .databases import is_address, read_database

PathLike: TypeAlias = str | os.PathLike[str]
Source: TypeAlias = PathLike | tuple[PathLike, str] | Sequence[PathLike | tuple[PathLike, str]] | pd.DataFrame
"""A path or PostGIS address, a (path, layer) pair, a list of either, or a table in memory."""

_BEGINS = {
    ".gpkg": b"SQLite format 3\x00",
    ".sqlite": b"SQLite format 3\x00",
    ".db": b"SQLite format 3\x00",
    ".shp": b"\x00\x00\x27\x0a",
    ".fgb": b"fgb",
    ".parquet": b"PAR1",
    ".geoparquet": b"PAR1",
    ".xlsx": b"PK",
    ".xlsm": b"PK",
    ".kmz": b"PK",
}
_JSON = (".geojson", ".json", ".topojson")
_TEXT = (".csv", ".tsv", ".txt")
_FORMATS = (*_BEGINS, *_JSON, ".kml", *_TEXT)
_BY_BYTES = (*_TEXT, ".xlsx", ".xlsm", ".parquet", ".geoparquet")
_SIDECARS = (".dbf", ".shx", ".prj", ".cpg")
_SPOKEN = (
    "GeoPackage, Shapefile, (Geo)JSON, FlatGeobuf, KML and KMZ, file geodatabase, GeoParquet, SQLite, CSV "
    "and Excel, also zipped"
)
_HEAD = 65_536


@dataclass(frozen=True, kw_only=True)
class Opened:
    """A table as its source has it, on a fresh index that counts the records.

    Parameters
    ----------
    frame
        The records.
    files
        Provenance: for each file its name without folders, hash, number of records and layer.
    remarks
        What the reader of the file had to say.
    """

    frame: pd.DataFrame
    files: tuple[dict[str, Any], ...]
    remarks: tuple[str, ...]


def open_source(source: Source, table: str, layer: str | None = None) -> Opened:
    """Open whatever the planner named.

    Raises
    ------
    SourceError
        If a file or layer is not there, cannot be read, or is not what its name says.
    CRSError
        If of several files some have a CRS and some have none.
    """
    if isinstance(source, pd.DataFrame):
        return _from_memory(source)
    asked = _asked(source, layer, table)
    return _joined([_open_one(path, name, table) for path, name in asked], table)


def _open_one(source: PathLike, layer: str | None, table: str) -> Opened:
    if not is_address(source):
        return _open_file(_existing(source, table), layer, table)
    frame, told = read_database(os.fspath(source), layer, table)
    return Opened(frame=_one_geometry(frame), files=(told,), remarks=())


def _from_memory(frame: pd.DataFrame) -> Opened:
    keeps_index = frame.index.name is not None and frame.index.name not in frame.columns
    own = frame.reset_index(drop=not keeps_index)
    own.attrs = {}
    remarks: tuple[str, ...] = ()
    file = {"file": "(in memory)", "sha256": "", "rows": len(own), "layer": None}
    return Opened(frame=_one_geometry(own), files=(file,), remarks=remarks)


def _asked(source: Source, layer: str | None, table: str) -> list[tuple[PathLike, str | None]]:
    many: Iterable[Any]
    if isinstance(source, (str, os.PathLike)) or (isinstance(source, tuple) and len(source) == 2):
        many = [source]
    elif isinstance(source, Iterable):
        many = source
    else:
        raise SourceError(
            f"{table}: {type(source).__name__} is not a path, a list of paths, (path, layer) or a table"
        )
    asked = []
    for one in many:
        path, name = one if isinstance(one, tuple) else (one, layer)
        asked.append((path, name))
    if not asked:
        raise SourceError(f"{table}: the list of files is empty")
    return asked


def _existing(path: PathLike, table: str) -> Path:
    text = os.fspath(path)
    if "://" in text:
        raise SourceError(
            f"{table}: addresses are not read here, except of a PostGIS database (postgresql://user@host/"
            "database); save the table as a file first"
        )
    found = Path(text)
    if "\x00" in text or not found.exists():
        siblings = (
            [p.name for p in found.parent.iterdir()] if "\x00" not in text and found.parent.is_dir() else []
        )
        close = difflib.get_close_matches(found.name, siblings, n=3)
        hint = f"; did you mean {' or '.join(close)}?" if close else "; check the folder and the spelling"
        raise SourceError(f"{table}: there is no file {found.name!r}{hint}")
    return found.absolute()


def _open_file(path: Path, layer: str | None, table: str) -> Opened:
    name = path.name
    remarks: list[str] = []
    with warnings.catch_warnings(record=True) as caught, ThreadPoolExecutor(1) as beside:
        warnings.simplefilter("always")
        digest = beside.submit(file_hash, path)
        try:
            frame, remarks = _records(path, layer)
        except (DataError, SourceError):
            raise
        except Exception as error:  # each format's library has errors of its own
            reason = _without_folders(str(error), path)
            raise SourceError(f"{table}: {name} cannot be read ({reason})") from error
    told = {_without_folders(str(warning.message), path): None for warning in caught}
    remarks += [
        f"the file's reader says: {text}" for text in told if "as JSON; leaving as string" not in text
    ]
    frame = _one_geometry(frame.reset_index(drop=True))
    frame.attrs = {}
    file = {"file": name, "sha256": digest.result(), "rows": len(frame), "layer": layer}
    return Opened(frame=frame, files=(file,), remarks=tuple(remarks))


def _without_folders(text: str, path: Path) -> str:
    return text.replace(f"{path.parent}{os.sep}", "")


def _records(path: Path, layer: str | None) -> tuple[pd.DataFrame, list[str]]:
    if path.is_dir():
        if path.suffix.lower() != ".gdb":
            raise SourceError(f"{path.name} is a folder; name a file in it")
        return _by_path(path, layer), []
    if path.suffix.lower() == ".zip":
        return _zipped(path, layer)
    with path.open("rb") as file:
        _require_content(path.name, file.read(_HEAD))
    if path.suffix.lower() in _BY_BYTES:
        return _by_bytes(path.read_bytes(), path.name, layer)
    return _by_path(path, layer), []


def _by_path(path: Path, layer: str | None) -> pd.DataFrame:
    """Read a file or folder with GDAL, under a plain name where its own would be taken for an address."""
    if not set(";?!") & set(str(path)):
        return _vector(str(path), path.name, layer)
    with tempfile.TemporaryDirectory() as folder:
        plain = Path(folder) / f"table{path.suffix}"
        if path.is_dir():
            shutil.copytree(path, plain)
        for part in path.parent.iterdir():
            if part.stem == path.stem and part.is_file():
                shutil.copyfile(part, plain.with_suffix(part.suffix))
        return _vector(str(plain), path.name, layer)


def _by_bytes(content: bytes, name: str, layer: str | None) -> tuple[pd.DataFrame, list[str]]:
    suffix = Path(name).suffix.lower()
    if suffix in _TEXT:
        return delimited.read_csv(content, name)
    if suffix in (".xlsx", ".xlsm"):
        return delimited.read_sheet(content, name, layer)
    return _parquet(io.BytesIO(content)), []


def _require_content(name: str, head: bytes) -> None:
    """Refuse a file that is not what its name says."""
    suffix = Path(name).suffix.lower()
    if suffix not in _FORMATS:
        raise SourceError(f"{name}: files of this kind are not read; known are {_SPOKEN}")
    start = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    fits = True
    if suffix in _JSON:
        fits = start.startswith(b"{") and b"gdal_streamed_alg" not in head
    elif suffix == ".kml":
        fits = start.startswith(b"<") and b"<kml" in head and b"OGRVRT" not in head
    elif suffix in _BEGINS:
        fits = head.startswith(_BEGINS[suffix])
    if not fits:
        raise SourceError(f"{name}: the content is not what the ending {suffix} says; export the file again")


def _zipped(path: Path, layer: str | None) -> tuple[pd.DataFrame, list[str]]:
    with zipfile.ZipFile(path) as archive:
        inside = [
            entry for entry in archive.namelist() if not entry.startswith("__MACOSX") and ".." not in entry
        ]
        folders = sorted(
            {entry[: entry.lower().index(".gdb/") + 4] for entry in inside if ".gdb/" in entry.lower()}
        )
        if len(folders) == 1:
            return _vector(f"/vsizip/{path.as_posix()}/{folders[0]}", path.name, layer), []
        known = [entry for entry in inside if Path(entry).suffix.lower() in _FORMATS]
        data = [entry for entry in known if Path(entry).suffix.lower() != ".txt"] or known
        if len(data) > 1 and layer is not None:
            data, layer = [entry for entry in data if layer in (Path(entry).stem, Path(entry).name)], None
        if len(data) != 1:
            listed = ", ".join(repr(Path(entry).name) for entry in known) or "nothing that can be read"
            raise SourceError(f"{path.name}: the archive holds {listed}; name one with layer=")
        entry = data[0]
        with archive.open(entry) as file:
            _require_content(Path(entry).name, file.read(_HEAD))
        if Path(entry).suffix.lower() in _BY_BYTES:
            return _by_bytes(archive.read(entry), Path(entry).name, layer)
    return _vector(f"/vsizip/{path.as_posix()}/{entry}", Path(entry).name, layer), []


def _vector(path: str, name: str, layer: str | None) -> pd.DataFrame:
    layer = _layer(path, name, layer)
    try:
        return _read(path, layer, use_arrow=True)
    except UnicodeDecodeError:
        return _read(path, layer, use_arrow=False)
    except pyogrio.errors.DataSourceError as error:
        if "UTF-8" not in str(error):
            raise
        return _read(path, layer, use_arrow=False)


def _read(path: str, layer: str, *, use_arrow: bool) -> pd.DataFrame:
    try:
        return pyogrio.read_dataframe(path, layer=layer, use_arrow=use_arrow)
    except shapely.errors.GEOSException:
        # Rings of one or two points, or left open, stop the whole layer: close them and leave the rest out.
        frame = pyogrio.read_dataframe(path, layer=layer, use_arrow=use_arrow, on_invalid="ignore")
        content = pyogrio.raw.read(path, layer=layer, columns=[])[2]
        broken = frame.geometry.isna().to_numpy() & pd.notna(content)
        closed = shapely.from_wkb(content[broken], on_invalid="fix")
        frame.loc[broken, "geometry"] = [shapely.Polygon() if shape is None else shape for shape in closed]
        return frame


def _layer(path: str, name: str, layer: str | None) -> str:
    layers = pyogrio.list_layers(path)
    names = [str(one) for one in layers[:, 0]]
    if layer is not None:
        if layer not in names:
            raise SourceError(f"{name}: there is no layer {layer!r}; the layers are {_listed(names)}")
        return layer
    drawn = [str(one) for one, kind in layers if kind is not None] or names
    if len(drawn) != 1:
        raise SourceError(f"{name}: the layers are {_listed(drawn)}; name one with layer=")
    return drawn[0]


def _listed(names: list[str]) -> str:
    return ", ".join(repr(name) for name in names) or "none"


def _parquet(file: io.BytesIO) -> pd.DataFrame:
    import pyarrow.parquet as pq  # noqa: PLC0415 - one format of many

    located = b"geo" in (pq.read_schema(file).metadata or {})
    file.seek(0)
    return gpd.read_parquet(file) if located else pd.read_parquet(file)


def _one_geometry(frame: pd.DataFrame) -> pd.DataFrame:
    """Keep the active geometry alone, under the name ``geometry``, and headings as text."""
    frame = frame.rename(columns=str)
    again = sorted(set(frame.columns[frame.columns.duplicated()]))
    if again:
        raise DataError(f"the heading {', '.join(map(repr, again))} stands over several columns; rename them")
    if not isinstance(frame, gpd.GeoDataFrame):
        return frame
    active = frame.active_geometry_name
    spare = [name for name in frame.columns if name != active and frame[name].dtype == "geometry"]
    frame = frame.drop(columns=spare)
    if active is None:
        return pd.DataFrame(frame)
    if active != "geometry":
        frame = frame.drop(columns="geometry", errors="ignore").rename_geometry("geometry")
    return frame


def _joined(parts: list[Opened], table: str) -> Opened:
    if len(parts) == 1:
        return parts[0]
    remarks = tuple(f"{part.files[0]['file']}: {text}" for part in parts for text in part.remarks)
    files = tuple(_apart([part.files[0] for part in parts]))
    frames = [part.frame for part in parts]
    layers = [frame for frame in frames if isinstance(frame, gpd.GeoDataFrame)]
    if not layers:
        return Opened(frame=pd.concat(frames, ignore_index=True), files=files, remarks=remarks)
    if len(layers) < len(frames) or len({layer.crs is None for layer in layers}) > 1:
        raise CRSError(f"{table}: some of the files have places or a CRS and some have none; read them apart")
    first = layers[0].crs
    same = [layer if layer.crs == first else layer.set_geometry(project(layer, first)) for layer in layers]
    filled = [frame for frame in same if len(frame)] or same[:1]
    joined = gpd.GeoDataFrame(pd.concat(filled, ignore_index=True), geometry="geometry", crs=first)
    return Opened(frame=joined, files=files, remarks=remarks)


def _apart(files: list[dict[str, Any]]) -> Iterable[dict[str, Any]]:
    """Tell apart, by a number, files that bear the same name in different folders."""
    seen: dict[str, int] = {}
    for file in files:
        name = file["file"]
        seen[name] = seen.get(name, 0) + 1
        yield file if seen[name] == 1 else {**file, "file": f"{name} ({seen[name]})"}


def file_hash(path: Path) -> str:
    """Give the SHA-256 of a file, of a shapefile with its companions, or of all files in a folder."""
    if path.is_dir():
        files = sorted(one for one in path.iterdir() if one.is_file() and not one.name.endswith(".lock"))
    else:
        files = [path]
        if path.suffix.lower() == ".shp":
            files += [one for end in _SIDECARS if (one := path.with_suffix(end)).exists()]
    digest = hashlib.sha256()
    for one in files:
        with one.open("rb") as file:
            while block := file.read(1 << 20):
                digest.update(block)
    return digest.hexdigest()
