"""The plan: options, rules, model, solver, proof."""

from .activities import ACTIVITIES, STATES, Activity, Figure, sources_table
from .choose import prioritize
from .complete import Complete
from .deadlines import Deadline, Finish
from .donors import Donors, Grant, paid_by
from .findings import look_over
from .options import list_options
from .plan import Plan
from .promises import After, LockIn, LockOut
from .ranking import Comparison
from .rules import Budget, Capacity, Rule
from .shares import Share
from .teams import moving_teams, visiting_teams

__all__ = [
    "ACTIVITIES",
    "STATES",
    "Activity",
    "After",
    "Budget",
    "Capacity",
    "Comparison",
    "Complete",
    "Deadline",
    "Donors",
    "Figure",
    "Finish",
    "Grant",
    "LockIn",
    "LockOut",
    "Plan",
    "Rule",
    "Share",
    "list_options",
    "look_over",
    "moving_teams",
    "paid_by",
    "prioritize",
    "sources_table",
    "visiting_teams",
]
