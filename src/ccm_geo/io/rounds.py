"""Displacement tables count people many times: by round, by level, by operation. Here each counts once."""

from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely

from ccm_geo._columns import plain
from ccm_geo.space import LONLAT, project

from .findings import Findings
from .values import numbers

# UNHCR's tables have a column per group; asylum seekers and stateless people are not on the move home.
_UNHCR = {"refugees": "refugee", "returnedrefugees": "returnee", "idps": "idp", "returnedidps": "returnee"}
_DTM_GROUP = ("numpresentidpind", "idpind", "numberidps", "idpindividuals")
_DTM_CODES = {
    2: ("admin2pcode", "adm2pcode"),
    1: ("admin1pcode", "adm1pcode"),
    0: ("admin0pcode", "adm0pcode"),
}


def by_group(frame: pd.DataFrame, found: Findings) -> pd.DataFrame:
    """Give one row per group where the source has a column per group, and name the group."""
    bare = {plain(name): str(name) for name in frame.columns}
    wide = {bare[word]: group for word, group in _UNHCR.items() if word in bare}
    if "people" not in frame.columns and wide:
        return _long(frame, wide, found)
    if "group" not in frame.columns and plain(found.headings.get("people", "")) in _DTM_GROUP:
        found.note(
            "assumed", "group is 'idp' for every record: the column counts internally displaced people"
        )
        frame = frame.assign(group="idp")
    return _leveled(frame, bare)


def _long(frame: pd.DataFrame, wide: dict[str, str], found: Findings) -> pd.DataFrame:
    rest = frame.drop(columns=list(wide))
    parts = [rest.assign(group=group, people=frame[name]) for name, group in wide.items()]
    records = np.concatenate([part.index.to_numpy() for part in parts])
    found.reindex(records)
    spoken = ", ".join(f"{name!r} as {group}" for name, group in wide.items())
    found.note("assumed", f"one row per group instead of one column per group: {spoken}")
    long = pd.concat(parts, ignore_index=True)
    # Zeros and blanks of groups that are not there are no records.
    there = numbers(long["people"])
    return long[there.unread | (there.read > 0)]


def _leveled(frame: pd.DataFrame, bare: dict[str, str]) -> pd.DataFrame:
    """Find the administrative level of each record by the deepest code it has, and name its place by it."""
    codes = {
        level: next((bare[word] for word in words if word in bare), None)
        for level, words in _DTM_CODES.items()
    }
    if codes[1] is None and codes[2] is None:
        return frame
    level, place = pd.Series(np.nan, frame.index), pd.Series(None, frame.index, dtype=object)
    for depth in (0, 1, 2):
        name = codes[depth]
        if name is not None:
            there = frame[name].notna() & (frame[name].astype("str").str.strip() != "")
            level[there], place[there] = depth, frame[name][there].astype(str)
    fresh: dict[str, Any] = {}
    if "level" not in frame.columns:
        fresh["level"] = level
    if "place_id" not in frame.columns:
        fresh["place_id"] = place
    return frame.assign(**fresh)


def latest(frame: pd.DataFrame, level: int | None, found: Findings) -> pd.DataFrame:
    """Keep one level, and of each operation the latest round."""
    frame = _newest(_one_level(frame, level, found), found)
    if (
        "operation" in frame.columns
        and (operations := sorted(frame["operation"].dropna().unique()))
        and len(operations) > 1
    ):
        found.note(
            "advice",
            f"several operations ({', '.join(map(str, operations[:5]))}) are added up: if two count the "
            "same people, keep one with where={'operation': ...}",
        )
    return frame


def _one_level(frame: pd.DataFrame, level: int | None, found: Findings) -> pd.DataFrame:
    if "level" not in frame.columns or frame["level"].nunique() == 0:
        return frame
    levels = frame["level"]
    kept = levels.max() if level is None else float(level)
    if level is not None and not (levels == kept).any():
        there = ", ".join(f"{one:g}" for one in sorted(levels.dropna().unique()))
        found.fault(f"there is no record of level {level}; the levels are {there}")
        return frame
    other = frame.index[levels != kept]
    if len(other):
        found.note(
            "dropped",
            f"records of other administrative levels than {kept:g}: they count the same people",
            other,
        )
    return frame[levels == kept]


def _newest(frame: pd.DataFrame, found: Findings) -> pd.DataFrame:
    """Keep the latest round of each operation; without rounds, the latest date of each place and group."""
    if "round" in frame.columns and frame["round"].notna().any():
        by, when = ["operation"], frame["round"]
    elif "date" in frame.columns and frame["date"].notna().any():
        by, when = ["operation", "place_id", "group", "origin_code"], frame["date"]
    else:
        return frame
    there = [name for name in by if name in frame.columns]
    newest = (
        when.groupby([frame[name] for name in there], dropna=False).transform("max") if there else when.max()
    )
    old = frame.index[(when != newest) & ~(when.isna() & pd.isna(newest))]
    if len(old):
        found.note("dropped", "records of earlier rounds: only the latest of each operation counts", old)
    return frame.drop(index=old)


def placed(frame: pd.DataFrame, areas: gpd.GeoDataFrame | None, found: Findings) -> gpd.GeoDataFrame:
    """Give the area each group comes from, and a place to sites that have none but whose code is known."""
    if not isinstance(frame, gpd.GeoDataFrame):
        crs = LONLAT if areas is None else areas.crs
        frame = gpd.GeoDataFrame(frame, geometry=np.full(len(frame), None, dtype=object), crs=crs)
    if areas is None:
        return frame
    areas = areas.set_geometry(project(areas, frame.crs))
    frame = _sites(frame, areas, found)
    codes = (
        frame["origin_code"] if "origin_code" in frame.columns else pd.Series(None, frame.index, dtype=object)
    )
    known = _areas_by_code(areas, codes, "origin_code", found)
    shapes = codes.map(known)
    unmatched = frame.index[codes.notna() & shapes.isna()]
    if len(unmatched):
        some = ", ".join(map(repr, codes[unmatched].unique()[:3]))
        text = (
            f"the origin_code ({some} ...) is not among the codes of admin=: where they come from is unknown"
        )
        found.note("unknown", text, unmatched)
    origin = gpd.GeoSeries(
        shapes.where(shapes.notna(), None).to_numpy(dtype=object), frame.index, crs=frame.crs
    )
    return frame.assign(origin=origin)


def _sites(frame: gpd.GeoDataFrame, areas: gpd.GeoDataFrame, found: Findings) -> gpd.GeoDataFrame:
    lost = frame.geometry.isna()
    if not lost.any():
        return frame
    inside = frame["place_id"][lost].map(_areas_by_code(areas, frame["place_id"][lost], "place_id", found))
    seen = inside.index[inside.notna()]
    if not len(seen):
        return frame
    shapes = frame.geometry.copy()
    shapes[seen] = shapely.point_on_surface(inside[seen].to_numpy(dtype=object))
    found.note("assumed", "a place without coordinates lies inside the administrative area of its code", seen)
    return frame.set_geometry(shapes)


def _areas_by_code(
    areas: gpd.GeoDataFrame, codes: "pd.Series[str]", what: str, found: Findings
) -> dict[str, shapely.Geometry]:
    """Find the column of `areas` that holds these codes, and each code's area, its parts joined."""
    wanted = set(codes.dropna())
    candidates = [
        name for name in areas.columns if name != "geometry" and pd.api.types.is_string_dtype(areas[name])
    ]
    candidates.sort(key=lambda name: name != "code")
    hits = {name: len(wanted & set(areas[name].dropna())) for name in candidates}
    best = max(hits, key=lambda name: hits[name], default=None)
    if best is None or not hits[best]:
        return {}
    if best != "code":
        found.note("assumed", f"{what} is matched with the column {best!r} of admin=")
    chosen = areas[areas[best].isin(wanted)]
    again = chosen[best].duplicated(keep=False)
    if again.any() and best in ("adm1", "adm2", "name"):
        names = ", ".join(map(repr, chosen[best][again].unique()[:5]))
        found.note(
            "unknown",
            f"several areas of admin= are called {names}: give codes, a name alone does not tell them apart",
        )
        chosen = chosen[~again]
    joined = (
        chosen[[best, "geometry"]].dissolve(by=best)
        if chosen[best].duplicated().any()
        else chosen.set_index(best)
    )
    return dict(zip(joined.index, joined.geometry, strict=True))
