"""Maps that open with no internet."""

from .build import map_plan, map_scores
from .offline import OfflineMap
from .words import DISCLAIMER, WORDS

__all__ = ["DISCLAIMER", "WORDS", "OfflineMap", "map_plan", "map_scores"]
