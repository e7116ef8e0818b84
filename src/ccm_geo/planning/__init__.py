"""The plan: options, rules, model, solver, proof."""

from .activities import ACTIVITIES, STATES, Activity, Figure, sources_table
from .adaptive import AdaptivePlan, plan_under
from .choose import prioritize
from .compact import Compact, neighbors
from .complete import Complete
from .curve import Curve, priority_curve
from .deadlines import Deadline, Finish
from .donors import Donors, Grant, paid_by
from .findings import look_over
from .funding import BudgetCut, DonorLeaves, Freeze, Funding
from .goals import Goal, GoalPlan, prioritize_goals
from .halt_costs import HALT, HaltCosts
from .halts import Halt, halt
from .near_best import Alternatives, alternatives
from .nested import Nested, nested_order
from .options import list_options
from .plan import Plan
from .promises import After, LockIn, LockOut
from .ranking import Comparison
from .rules import Budget, Capacity, Rule
from .shares import Share
from .side_by_side import SideBySide, compare
from .stakes import Importance, importance
from .teams import moving_teams, visiting_teams
from .worth import RuleCosts, rule_costs

__all__ = [
    "ACTIVITIES",
    "HALT",
    "STATES",
    "Activity",
    "AdaptivePlan",
    "After",
    "Alternatives",
    "Budget",
    "BudgetCut",
    "Capacity",
    "Compact",
    "Comparison",
    "Complete",
    "Curve",
    "Deadline",
    "DonorLeaves",
    "Donors",
    "Figure",
    "Finish",
    "Freeze",
    "Funding",
    "Goal",
    "GoalPlan",
    "Grant",
    "Halt",
    "HaltCosts",
    "Importance",
    "LockIn",
    "LockOut",
    "Nested",
    "Plan",
    "Rule",
    "RuleCosts",
    "Share",
    "SideBySide",
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
    "sources_table",
    "visiting_teams",
]
