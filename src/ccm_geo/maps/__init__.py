"""Maps that open with no internet."""

from ccm_geo.maps.build import map_plan, map_scores
from ccm_geo.maps.offline import OfflineMap
from ccm_geo.maps.stops import map_outreach
from ccm_geo.maps.words import DISCLAIMER, WORDS

__all__ = ["DISCLAIMER", "WORDS", "OfflineMap", "map_outreach", "map_plan", "map_scores"]
