"""What floods, slides and seasons do to hazards: zones, drift downstream, months without access."""

from .drift import DRIFT_MAX, drift_land, drift_paths, resurvey_downstream
from .months import blocked_by_month, months_blocked, workable_months
from .zones import share_in_zone

__all__ = [
    "DRIFT_MAX",
    "blocked_by_month",
    "drift_land",
    "drift_paths",
    "months_blocked",
    "resurvey_downstream",
    "share_in_zone",
    "workable_months",
]
