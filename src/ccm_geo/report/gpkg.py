"""The GeoPackage: hazards with scores and plan as layers that QGIS opens in color."""

import os
import sqlite3
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any
from xml.sax.saxutils import quoteattr

import geopandas as gpd
import numpy as np
import pandas as pd
import pyogrio

from ccm_geo.errors import DataError, SourceError
from ccm_geo.files import replace_atomically
from ccm_geo.planning import AdaptivePlan, GoalPlan, Plan
from ccm_geo.space import LONLAT, require_crs

from .sheets import without_control

RAMP = ("#fcefcf", "#f7bd6b", "#e2743b", "#a23560", "#48154f")
"""Class colors from low to high, those of the maps: apart under color blindness and in grey print."""
_UNPLANNED = "#c8c8c8"
_RESERVED = {"fid", "geom", "ogc_fid", "rowid"}


def write_gpkg(
    facts: gpd.GeoDataFrame,
    path: str | os.PathLike[str],
    *,
    plan: Plan | GoalPlan | AdaptivePlan | None = None,
    scores: pd.DataFrame | Mapping[str, pd.DataFrame] | None = None,
) -> Path:
    """Write hazards, scores and plan as one GeoPackage with QGIS styles in it.

    Parameters
    ----------
    facts
        Hazards with their measures, in any CRS; the layer keeps it.
    path
        The file; an old one is replaced, whole or not at all.
    plan
        Adds ``in_plan``, ``plan_first_year``, ``plan_activities`` and ``plan_reason`` to the layer
        ``hazards``, and the layer ``plan`` with one row per activity, as points where the options have
        ``lon`` and ``lat``. Of `plan_under` it is the plan for the first scenario, the promise.
    scores
        Scores on the index of `facts`, or several by name; adds ``<name>_score``, ``<name>_class`` and
        ``<name>_rank``.

    Returns
    -------
    pathlib.Path
        The file.

    Raises
    ------
    DataError
        If scores stand on another index than `facts`, or facts have no ``hazard_id`` for the plan.
    CRSError
        If `facts` have no CRS.
    SourceError
        If the file cannot be written.

    Notes
    -----
    Styles stand in the table ``layer_styles`` (QGIS reads the default one by itself), registered in
    ``gpkg_contents``, so that other programs see a table and not a fault.

    Examples
    --------
    >>> import tempfile, shapely
    >>> facts = gpd.GeoDataFrame({"hazard_id": ["A"]}, geometry=[shapely.box(102, 18, 102.1, 18.1)], crs=4326)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     gpd.read_file(write_gpkg(facts, Path(folder, "plan.gpkg")))["hazard_id"].tolist()
    ['A']
    """
    require_crs(facts, "facts")
    plan = plan.plan if isinstance(plan, (AdaptivePlan, GoalPlan)) else plan
    tables = _by_name(scores)
    hazards = _storable(_hazard_layer(facts, tables, plan))
    styles = _hazard_styles(hazards, tables, plan)
    target = Path(path)
    with replace_atomically(target) as draft:
        try:
            _write_layer(hazards, draft, "hazards")
            if plan is not None:
                rows = _plan_layer(plan)
                _write_layer(rows, draft, "plan")
                if isinstance(rows, gpd.GeoDataFrame):
                    styles.append(
                        ("plan", "by year", _by_year(rows["year"].unique(), "year", "marker"), True)
                    )
            _write_styles(draft, styles)
        except (pyogrio.errors.DataSourceError, pyogrio.errors.DataLayerError, sqlite3.Error) as reason:
            raise SourceError(f"{target}: cannot be written ({reason})") from reason
    return target


def _by_name(scores: pd.DataFrame | Mapping[str, pd.DataFrame] | None) -> dict[str, pd.DataFrame]:
    if scores is None:
        return {}
    if isinstance(scores, pd.DataFrame):
        return {str(scores.attrs.get("score", "score")): scores}
    return {str(name): table for name, table in scores.items()}


def _hazard_layer(
    facts: gpd.GeoDataFrame, scores: Mapping[str, pd.DataFrame], plan: Plan | None
) -> gpd.GeoDataFrame:
    layer = facts.copy()
    other = [c for c in layer.columns[layer.dtypes.astype(str) == "geometry"] if c != layer.geometry.name]
    layer = layer.drop(columns=other)
    if layer.geometry.name != "geometry":
        layer = layer.drop(columns="geometry", errors="ignore").rename_geometry("geometry")
    for name, table in scores.items():
        if not table.index.equals(facts.index):
            raise DataError(
                f"scores {name}: its rows are not those of facts; score the table that is written"
            )
        for part in ("score", "class", "rank"):
            if part in table:
                layer[f"{name}_{part}"] = table[part]
    if plan is not None:
        if "hazard_id" not in facts:
            raise DataError("facts: there is no column hazard_id by which the plan finds its hazards")
        said = plan.reasons.reindex(facts["hazard_id"])
        layer["in_plan"] = said["chosen"].eq(True).to_numpy()
        for part in ("first_year", "last_year", "activities", "reason"):
            if part in said:
                layer[f"plan_{part}"] = said[part].to_numpy()
    return layer


def _plan_layer(plan: Plan) -> pd.DataFrame:
    rows = plan.table.reset_index(drop=True)
    if not {"lon", "lat"} <= set(rows.columns):
        return _storable(rows)
    points = gpd.points_from_xy(rows["lon"], rows["lat"], crs=LONLAT)
    points[rows[["lon", "lat"]].isna().any(axis=1).to_numpy()] = None
    return _storable(gpd.GeoDataFrame(rows, geometry=points))


def _storable(table: Any) -> Any:
    """Give columns names and kinds that a GeoPackage can hold; SQLite does not tell case apart."""
    kept = table.copy()
    kept.attrs = {}
    taken, names = set(_RESERVED), []
    for column in kept.columns:
        name = str(column)
        if name != "geometry":
            while name.lower() in taken:
                name += "_"
            taken.add(name.lower())
        names.append(name)
    kept.columns = pd.Index(names)
    for name in names:
        kind = kept[name].dtype
        if name != "geometry" and _wordy(kind):
            kept[name] = kept[name].map(without_control, na_action="ignore").astype(object)
        elif isinstance(kind, (pd.PeriodDtype, pd.IntervalDtype)) or str(kind).startswith("timedelta"):
            kept[name] = kept[name].astype(str)
    return kept.reset_index(drop=True)


def _wordy(kind: Any) -> bool:
    return isinstance(kind, (pd.CategoricalDtype, pd.StringDtype)) or pd.api.types.is_object_dtype(kind)


def _write_layer(table: pd.DataFrame, path: Path, layer: str) -> None:
    options: dict[str, Any] = {"layer": layer, "driver": "GPKG", "append": False}
    if isinstance(table, gpd.GeoDataFrame):
        kinds = set(table.geom_type.dropna())
        polygons = bool(kinds) and kinds <= {"Polygon", "MultiPolygon"}
        points = kinds <= {"Point"}
        shape = "MultiPolygon" if polygons else ("Point" if points else "Unknown")
        options |= {"geometry_type": shape, "promote_to_multi": polygons}
    pyogrio.write_dataframe(table, path, **options)


Style = tuple[str, str, str, bool]
"""Layer, name of the style, QML, and whether QGIS takes it by itself."""


def _hazard_styles(
    hazards: gpd.GeoDataFrame, scores: Mapping[str, pd.DataFrame], plan: Plan | None
) -> list[Style]:
    styles: list[Style] = []
    for name, table in scores.items():
        if f"{name}_class" in hazards:
            labels = table.attrs.get("labels") or sorted(set(table["class"].dropna()))
            qml = _by_class([str(label) for label in labels], f"{name}_class")
            styles.append(("hazards", f"{name} class", qml, not styles))
    if plan is not None and "plan_first_year" in hazards:
        years = hazards["plan_first_year"].dropna().unique()
        styles.append(("hazards", "year of plan", _by_year(years, "plan_first_year", "fill"), not styles))
    return styles


def _by_class(labels: list[str], column: str) -> str:
    picks = np.linspace(0, len(RAMP) - 1, max(len(labels), 1)).round().astype(int)
    steps = [(label, label, RAMP[k]) for label, k in zip(labels, picks, strict=False)]
    return _qml([*reversed(steps), ("", "not scored", _UNPLANNED)], column, "fill")


def _by_year(years: Any, column: str, symbol: str) -> str:
    order = sorted(int(year) for year in years)
    picks = np.linspace(len(RAMP) - 1, 0, max(len(order), 1)).round().astype(int)
    steps = [(str(year), str(year), RAMP[k]) for year, k in zip(order, picks, strict=False)]
    return _qml([*steps, ("", "not in the plan: not safe, not released", _UNPLANNED)], column, symbol)


def _qml(steps: list[tuple[str, str, str]], column: str, symbol: str) -> str:
    """Write a categorized QGIS style; the last step, without a value, takes all other rows."""
    categories = "".join(
        f'<category value={quoteattr(value)} label={quoteattr(label)} symbol="{k}" render="true"/>'
        for k, (value, label, _) in enumerate(steps)
    )
    symbols = "".join(_symbol(k, color, symbol) for k, (*_, color) in enumerate(steps))
    return (
        "<!DOCTYPE qgis PUBLIC 'http://mrcc.com/qgis.dtd' 'SYSTEM'>\n"
        '<qgis version="3.22" styleCategories="Symbology">'
        f'<renderer-v2 type="categorizedSymbol" attr={quoteattr(column)} symbollevels="0" forceraster="0">'
        f"<categories>{categories}</categories><symbols>{symbols}</symbols></renderer-v2></qgis>"
    )


def _symbol(name: int, color: str, kind: str) -> str:
    shade = ",".join(str(int(color[i : i + 2], 16)) for i in (1, 3, 5))
    look = {
        "color": f"{shade},200",
        "outline_color": "60,40,60,255",
        "outline_width": "0.26",
        "outline_style": "solid",
        **({"style": "solid"} if kind == "fill" else {"name": "circle", "size": "2.4"}),
    }
    options = "".join(f'<Option type="QString" name="{k}" value="{v}"/>' for k, v in look.items())
    older = "".join(f'<prop k="{k}" v="{v}"/>' for k, v in look.items())  # QGIS before 3.26 reads these
    layer = "SimpleFill" if kind == "fill" else "SimpleMarker"
    return (
        f'<symbol type="{kind}" name="{name}" alpha="1" clip_to_extent="1">'
        f'<layer class="{layer}" pass="0" enabled="1" locked="0">'
        f'<Option type="Map">{options}</Option>{older}</layer></symbol>'
    )


_STYLE_TABLE = """
CREATE TABLE layer_styles (
  id INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
  f_table_catalog TEXT, f_table_schema TEXT, f_table_name TEXT, f_geometry_column TEXT,
  styleName TEXT, styleQML TEXT, styleSLD TEXT, useAsDefault BOOLEAN,
  description TEXT, owner TEXT, ui TEXT,
  update_time DATETIME DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ','now'))
)"""


def _write_styles(path: Path, styles: list[Style]) -> None:
    if not styles:
        return
    with closing(sqlite3.connect(path)) as base, base:
        base.execute(_STYLE_TABLE)
        base.executemany(
            "INSERT INTO layer_styles (f_table_catalog, f_table_schema, f_table_name, f_geometry_column, "
            "styleName, styleQML, styleSLD, useAsDefault, description, owner) "
            "VALUES ('', '', ?, 'geom', ?, ?, '', ?, ?, '')",
            [(layer, name, qml, first, f"ccm_geo: {name}") for layer, name, qml, first in styles],
        )
        base.execute(
            "INSERT INTO gpkg_contents (table_name, data_type, identifier, description) "
            "VALUES ('layer_styles', 'attributes', 'layer_styles', 'QGIS styles')"
        )
