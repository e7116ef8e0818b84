"""The plan: options, rules, model, solver, proof."""

from .activities import ACTIVITIES, STATES, Activity, Figure, sources_table
from .choose import prioritize
from .complete import Complete
from .deadlines import Deadline, Finish
from .donors import Donors, Grant, paid_by
from .findings import look_over
from .halt_costs import HALT, HaltCosts
from .halts import Halt, halt
from .options import list_options
from .plan import Plan
from .promises import After, LockIn, LockOut
from .ranking import Comparison
from .rules import Budget, Capacity, Rule
from .shares import Share
from .teams import moving_teams, visiting_teams

__all__ = [
    "ACTIVITIES",
    "HALT",
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
    "Halt",
    "HaltCosts",
    "LockIn",
    "LockOut",
    "Plan",
    "Rule",
    "Share",
    "halt",
    "list_options",
    "look_over",
    "moving_teams",
    "paid_by",
    "prioritize",
    "sources_table",
    "visiting_teams",
]
