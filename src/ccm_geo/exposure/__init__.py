"""Who and what is near a hazard: people, accidents, facilities; and everyone once, for totals."""

from .near import people_first_reached, people_in, people_near, people_reached
from .places import accidents_near, facilities_near, population_cells

__all__ = [
    "accidents_near",
    "facilities_near",
    "people_first_reached",
    "people_in",
    "people_near",
    "people_reached",
    "population_cells",
]
