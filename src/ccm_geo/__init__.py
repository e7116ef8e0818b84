"""Geospatial clearance planning and contamination mapping for mine action.

Measure, score, plan, show: plain functions on tables that meet only in tables.

>>> import ccm_geo as ccm
>>> ccm.Budget({2027: 2_000_000.0})
Budget(...)

Names are loaded when they are first used, so that importing the package stays light.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .access import CutRoads as CutRoads
    from .access import RoadGraph as RoadGraph
    from .access import Trips as Trips
    from .access import cut_roads as cut_roads
    from .access import detour as detour
    from .access import joint_gain as joint_gain
    from .access import minutes_between as minutes_between
    from .access import release_gain as release_gain
    from .access import road_graph as road_graph
    from .access import routes_cut as routes_cut
    from .access import travel_time as travel_time
    from .access import trips_between as trips_between
    from .access import trips_to as trips_to
    from .assumptions import HARM as HARM
    from .assumptions import Assumption as Assumption
    from .assumptions import Belief as Belief
    from .climate import DRIFT_MAX as DRIFT_MAX
    from .climate import blocked_by_month as blocked_by_month
    from .climate import drift_land as drift_land
    from .climate import drift_paths as drift_paths
    from .climate import months_blocked as months_blocked
    from .climate import resurvey_downstream as resurvey_downstream
    from .climate import share_in_zone as share_in_zone
    from .climate import workable_months as workable_months
    from .demography import AGE_BANDS as AGE_BANDS
    from .demography import recount_ages as recount_ages
    from .demography import split_people as split_people
    from .displacement import GRAVITY as GRAVITY
    from .displacement import Gravity as Gravity
    from .displacement import arrivals_near as arrivals_near
    from .errors import CcmGeoError as CcmGeoError
    from .errors import CRSError as CRSError
    from .errors import DataError as DataError
    from .errors import MissingDependency as MissingDependency
    from .errors import PlanError as PlanError
    from .errors import SourceError as SourceError
    from .exposure import accidents_near as accidents_near
    from .exposure import facilities_near as facilities_near
    from .exposure import people_first_reached as people_first_reached
    from .exposure import people_near as people_near
    from .exposure import people_reached as people_reached
    from .exposure import population_cells as population_cells
    from .io import read_accidents as read_accidents
    from .io import read_admin as read_admin
    from .io import read_displacement as read_displacement
    from .io import read_facilities as read_facilities
    from .io import read_hazards as read_hazards
    from .io import read_population as read_population
    from .io import read_roads as read_roads
    from .maps import map_outreach as map_outreach
    from .maps import map_plan as map_plan
    from .maps import map_scores as map_scores
    from .outreach import Outreach as Outreach
    from .outreach import choose_stops as choose_stops
    from .outreach import service_reach as service_reach
    from .outreach import site_outreach as site_outreach
    from .planning import ACTIVITIES as ACTIVITIES
    from .planning import HALT as HALT
    from .planning import Activity as Activity
    from .planning import AdaptivePlan as AdaptivePlan
    from .planning import After as After
    from .planning import Budget as Budget
    from .planning import BudgetCut as BudgetCut
    from .planning import Capacity as Capacity
    from .planning import Compact as Compact
    from .planning import Complete as Complete
    from .planning import Deadline as Deadline
    from .planning import DonorLeaves as DonorLeaves
    from .planning import Donors as Donors
    from .planning import Figure as Figure
    from .planning import Finish as Finish
    from .planning import Freeze as Freeze
    from .planning import Funding as Funding
    from .planning import Goal as Goal
    from .planning import Grant as Grant
    from .planning import Halt as Halt
    from .planning import HaltCosts as HaltCosts
    from .planning import LockIn as LockIn
    from .planning import LockOut as LockOut
    from .planning import Plan as Plan
    from .planning import Share as Share
    from .planning import alternatives as alternatives
    from .planning import compare as compare
    from .planning import halt as halt
    from .planning import importance as importance
    from .planning import list_options as list_options
    from .planning import look_over as look_over
    from .planning import moving_teams as moving_teams
    from .planning import neighbors as neighbors
    from .planning import nested_order as nested_order
    from .planning import paid_by as paid_by
    from .planning import plan_under as plan_under
    from .planning import prioritize as prioritize
    from .planning import prioritize_goals as prioritize_goals
    from .planning import priority_curve as priority_curve
    from .planning import rule_costs as rule_costs
    from .planning import visiting_teams as visiting_teams
    from .report import write_gpkg as write_gpkg
    from .report import write_report as write_report
    from .risk import expected_harm as expected_harm
    from .risk import p_contaminated as p_contaminated
    from .schemas import Note as Note
    from .schemas import PopulationRaster as PopulationRaster
    from .schemas import notes_of as notes_of
    from .scoring import DISPLACEMENT as DISPLACEMENT
    from .scoring import RISK as RISK
    from .scoring import CategoryScale as CategoryScale
    from .scoring import Factor as Factor
    from .scoring import LinearScale as LinearScale
    from .scoring import LogScale as LogScale
    from .scoring import Score as Score
    from .scoring import explain as explain
    from .scoring import score as score

__version__ = "0.1.0"

_HOME = {
    "access": (
        "CutRoads",
        "RoadGraph",
        "Trips",
        "cut_roads",
        "detour",
        "joint_gain",
        "minutes_between",
        "release_gain",
        "road_graph",
        "routes_cut",
        "travel_time",
        "trips_between",
        "trips_to",
    ),
    "assumptions": ("Assumption", "Belief", "HARM"),
    "climate": (
        "DRIFT_MAX",
        "blocked_by_month",
        "drift_land",
        "drift_paths",
        "months_blocked",
        "resurvey_downstream",
        "share_in_zone",
        "workable_months",
    ),
    "demography": ("AGE_BANDS", "recount_ages", "split_people"),
    "displacement": ("GRAVITY", "Gravity", "arrivals_near"),
    "errors": ("CRSError", "CcmGeoError", "DataError", "MissingDependency", "PlanError", "SourceError"),
    "exposure": (
        "accidents_near",
        "facilities_near",
        "people_first_reached",
        "people_near",
        "people_reached",
        "population_cells",
    ),
    "io": (
        "read_accidents",
        "read_admin",
        "read_displacement",
        "read_facilities",
        "read_hazards",
        "read_population",
        "read_roads",
    ),
    "maps": ("map_outreach", "map_plan", "map_scores"),
    "outreach": ("Outreach", "choose_stops", "service_reach", "site_outreach"),
    "planning": (
        "ACTIVITIES",
        "HALT",
        "Activity",
        "AdaptivePlan",
        "After",
        "Budget",
        "Capacity",
        "Compact",
        "Complete",
        "BudgetCut",
        "Deadline",
        "DonorLeaves",
        "Donors",
        "Figure",
        "Finish",
        "Freeze",
        "Funding",
        "Goal",
        "Grant",
        "Halt",
        "HaltCosts",
        "LockIn",
        "LockOut",
        "Plan",
        "Share",
        "alternatives",
        "compare",
        "halt",
        "importance",
        "list_options",
        "look_over",
        "moving_teams",
        "neighbors",
        "nested_order",
        "paid_by",
        "plan_under",
        "prioritize",
        "prioritize_goals",
        "priority_curve",
        "rule_costs",
        "visiting_teams",
    ),
    "report": ("write_gpkg", "write_report"),
    "risk": ("expected_harm", "p_contaminated"),
    "schemas": ("Note", "PopulationRaster", "notes_of"),
    "scoring": (
        "CategoryScale",
        "DISPLACEMENT",
        "Factor",
        "LinearScale",
        "LogScale",
        "RISK",
        "Score",
        "explain",
        "score",
    ),
}
_MODULE_OF = {name: module for module, names in _HOME.items() for name in names}

__all__ = sorted(_MODULE_OF)  # noqa: PLE0605 - one list of names, kept in one place


def __getattr__(name: str) -> Any:
    """Load a public name from its module on first use."""
    if name not in _MODULE_OF:
        raise AttributeError(f"module 'ccm_geo' has no attribute {name!r}")
    value = getattr(import_module(f".{_MODULE_OF[name]}", __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """List the public names, loaded or not."""
    return [*__all__, "__version__"]
