"""Reading what planners have: files of many formats, dirty in the ways real exports are."""

from .tables import (
    read_accidents,
    read_admin,
    read_displacement,
    read_facilities,
    read_hazards,
    read_population,
    read_roads,
)

__all__ = [
    "read_accidents",
    "read_admin",
    "read_displacement",
    "read_facilities",
    "read_hazards",
    "read_population",
    "read_roads",
]
