"""The areas that people are counted near: mended, named, and merged by group."""

from typing import NamedTuple, TypeAlias

import geopandas as gpd
import numpy as np
import pyproj
import shapely

from ccm_geo import space
from ccm_geo.schemas import Note

from .notes import Ints, Mask, Names, Notes, Shapes, many, named, nowhere
from .rings import sound

Areas: TypeAlias = gpd.GeoDataFrame | gpd.GeoSeries


class Land(NamedTuple):
    """Areas as they are, with their CRS and what to call them."""

    shapes: Shapes
    """Valid geometries, or None."""
    crs: pyproj.CRS
    names: Names
    missing: Mask
    """Which of the shapes are None or empty."""


def mended(hazards: Areas) -> tuple[Land, Notes]:
    """Give valid shapes, and note what had to be repaired or has none."""
    shapes, names = hazards.geometry.to_numpy().copy(), names_of(hazards)
    missing = nowhere(shapes)
    notes = []
    bad = ~(sound(shapes) | missing)
    if bad.any():
        shapes[bad] = shapely.make_valid(shapes[bad])
        who = f"{many(bad.sum(), 'hazard')} with an invalid outline{named(names, bad)}"
        notes.append(Note("hazards", "repaired", f"{who}: measured after repair", int(bad.sum())))
    if missing.any():
        text = f"{many(missing.sum(), 'hazard')} without geometry{named(names, missing)}: not measured"
        notes.append(Note("hazards", "unknown", text, int(missing.sum())))
    return Land(shapes, space.require_crs(hazards, "hazards"), names, missing), tuple(notes)


def names_of(hazards: Areas) -> Names:
    """Give what to call the hazards in a note."""
    known = isinstance(hazards, gpd.GeoDataFrame) and "hazard_id" in hazards
    return (hazards["hazard_id"] if known else hazards.index).to_numpy()


def chosen(land: Land, keep: Mask) -> Land:
    """Give some of the areas."""
    return land._replace(shapes=land.shapes[keep], names=land.names[keep], missing=land.missing[keep])


def in_metres(land: Land) -> tuple[Shapes, pyproj.CRS]:
    """Give the shapes in their study CRS, and that CRS."""
    layer = gpd.GeoSeries(land.shapes, crs=land.crs)
    metric = space.study_crs(layer)
    return space.project(layer, metric).to_numpy(), metric


def unions(shapes: Shapes, group: Ints, groups: int, *, first: bool) -> Shapes:
    """Merge the areas of each group; with `first`, of each group and all lower ones."""
    out = np.empty(groups, dtype=object)
    order = np.argsort(group, kind="stable")
    starts = np.searchsorted(group[order], np.arange(groups + 1))
    for g in range(groups):
        own = list(shapes[order[starts[g] : starts[g + 1]]])
        if first and g and out[g - 1] is not None:
            own.append(out[g - 1])
        out[g] = shapely.disjoint_subset_union_all(own) if own else None
    return out
