"""Who is to be reached: places with a number of people, from a raster or a table; unknown stays unknown."""

from typing import Any, TypeAlias

import geopandas as gpd
import numpy as np
import numpy.typing as npt
import pandas as pd

from ccm_geo import space
from ccm_geo.errors import DataError
from ccm_geo.exposure import population_cells
from ccm_geo.schemas import Note, PopulationRaster, notes_of

Floats: TypeAlias = npt.NDArray[np.float64]
People: TypeAlias = PopulationRaster | gpd.GeoDataFrame


def located(people: People, who: str, cell_m: float) -> tuple[gpd.GeoDataFrame, tuple[Note, ...]]:
    """Give places with a column that counts people, and what is known about the source.

    Raises
    ------
    DataError
        If the column is not there, or a raster is asked for anything but people.
    """
    if isinstance(people, PopulationRaster):
        if who != "people":
            raise DataError(f"population: a raster holds people, not {who}; give a table with {who!r}")
        cells = population_cells(people, cell_m=cell_m)
        text = f"people of the raster are taken together in blocks of about {cell_m:g} m"
        return cells, (*notes_of(people), Note("population", "assumed", text))
    if not isinstance(people, gpd.GeoDataFrame):
        raise DataError(f"places: a table with geometry is needed, not {type(people).__name__}; use read_*")
    space.require_crs(people, "places")
    if who not in people:
        raise DataError(f"places: there is no column {who!r}; name it with rename=")
    if not people.index.is_unique:
        raise DataError("places: the index repeats; give people.reset_index(drop=True)")
    return people, notes_of(people)


def counted(values: Any, index: pd.Index, who: str) -> tuple[Floats, tuple[Note, ...]]:
    """Give a number by place, NaN where it is unknown, and a note that counts these.

    Raises
    ------
    DataError
        If there are numbers below 0, or too many or few of them.
    """
    if values is None:
        return np.ones(len(index)), ()
    if isinstance(values, pd.Series) and not values.index.equals(index):
        if set(values.index) != set(index) or not values.index.is_unique:
            raise DataError(f"{who}: their index is not that of the places; give one number for each place")
        values = values.reindex(index)
    numbers = pd.to_numeric(pd.Series(np.asarray(values)), errors="coerce").to_numpy(dtype=float)
    if len(numbers) != len(index):
        raise DataError(f"{who}: {len(numbers)} numbers for {len(index)} places; give one for each")
    if (numbers < 0).any() or np.isinf(numbers).any():
        bad = int(((numbers < 0) | np.isinf(numbers)).sum())
        raise DataError(f"{who}: {bad} numbers are below 0 or infinite; correct them")
    unknown = int(np.isnan(numbers).sum())
    if not unknown:
        return numbers, ()
    text = f"{unknown} of {len(numbers)} places have no number of {who}: they are unknown, not empty"
    return numbers, (Note("places", "unknown", text, unknown),)
