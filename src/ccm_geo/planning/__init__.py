"""The plan: options, rules, model, solver, proof."""

from .activities import ACTIVITIES, STATES, Activity, Figure, sources_table
from .answers.curve import Curve, priority_curve
from .answers.goals import Goal, GoalPlan, prioritize_goals
from .answers.near_best import Alternatives, alternatives
from .answers.nested import Nested, nested_order
from .answers.side_by_side import SideBySide, compare
from .answers.stakes import Importance, importance
from .answers.worth import RuleCosts, rule_costs
from .choose import prioritize
from .findings import look_over
from .money.adaptive import AdaptivePlan, plan_under
from .money.halt_costs import HALT, HaltCosts
from .money.halts import Halt, halt
from .money.scenarios import BudgetCut, DonorLeaves, Freeze, Funding
from .options import list_options
from .plan import Plan
from .ranking import Comparison
from .rules.compact import Compact, neighbors
from .rules.complete import Complete
from .rules.deadlines import Deadline, Finish
from .rules.donors import Donors, Grant, paid_by
from .rules.limits import Budget, Capacity, Rule
from .rules.promises import After, LockIn, LockOut
from .rules.shares import Share
from .rules.teams import moving_teams, visiting_teams

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
