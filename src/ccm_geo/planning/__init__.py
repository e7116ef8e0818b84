"""The plan: options, rules, model, solver, proof."""

from .activities import ACTIVITIES, STATES, Activity, Figure, sources_table
from .choose import prioritize
from .options import list_options
from .plan import Plan
from .ranking import Comparison
from .rules import After, Budget, LockIn, LockOut, Rule, Share

__all__ = [
    "ACTIVITIES",
    "STATES",
    "Activity",
    "After",
    "Budget",
    "Comparison",
    "Figure",
    "LockIn",
    "LockOut",
    "Plan",
    "Rule",
    "Share",
    "list_options",
    "prioritize",
    "sources_table",
]
