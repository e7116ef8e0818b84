"""Who is far from help, and where mobile services should stop."""

from .far import LIMITS_MIN, service_reach
from .result import Outreach
from .siting import choose_stops, site_outreach

__all__ = ["LIMITS_MIN", "Outreach", "choose_stops", "service_reach", "site_outreach"]
