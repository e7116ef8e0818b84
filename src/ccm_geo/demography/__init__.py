"""Who the people are: district totals spread over where they live, and ages recounted by other bands."""

from .ages import AGE_BANDS, recount_ages
from .spread import split_people

__all__ = ["AGE_BANDS", "recount_ages", "split_people"]
