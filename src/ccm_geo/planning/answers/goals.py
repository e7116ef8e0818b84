"""Several goals, one after the other: the first as good as can be, the next as far as the first allows."""

import re
import time
from collections.abc import Iterable, Sequence
from dataclasses import KW_ONLY, dataclass, field, replace
from typing import Any, Literal

import numpy as np
import pandas as pd
from scipy import sparse

from ccm_geo.errors import DataError
from ccm_geo.planning._given import require_search
from ccm_geo.planning._priced import SAME, few
from ccm_geo.planning.bonuses import bonus_of, told_apart
from ccm_geo.planning.choose import checked_plan
from ccm_geo.planning.conflicts import explain
from ccm_geo.planning.engine.arcs import Arcs
from ccm_geo.planning.engine.prices import Rows, losses, lowest_bound, too_large
from ccm_geo.planning.engine.solve import Solution, solve
from ccm_geo.planning.findings import looked_over, read_rules
from ccm_geo.planning.listing import Floats, Listing, Mask, last_states
from ccm_geo.planning.model import Compiled, Family, Marks, Model, build
from ccm_geo.planning.plan import Plan
from ccm_geo.planning.rules._given import is_share
from ccm_geo.planning.rules.limits import Rule, total

_NOT_SUMS = re.compile(
    r"(^|_)(score|rank|index|class|priority|rate|ratio|percent|pct|year|min|lon|lat)s?($|_)|^from_|_share$"
)
Counted = Literal["option", "release"]


@dataclass(frozen=True)
class Goal:
    """One thing to have as much or as little of as possible, and how much of it later goals may take.

    Parameters
    ----------
    column
        Column of the options that adds up over a plan; ``benefit`` counts bonuses in.
    sense
        ``most`` or ``least``.
    tolerance
        Share of what this goal reaches by itself that later goals may give up.
    counted
        ``option``: every planned row counts (money, area worked on, accidents averted). ``release``: a
        hazard's value counts once, with the step that brings it to its last state (people, places).
    name
        What to call it.

    Examples
    --------
    >>> Goal("cost_usd", sense="least", tolerance=0).title
    'least cost_usd'
    """

    column: str = "benefit"
    _: KW_ONLY
    sense: Literal["most", "least"] = "most"
    tolerance: float = 0.01
    counted: Counted = "option"
    name: str = ""

    def __post_init__(self) -> None:
        """Refuse what cannot be meant."""
        if not isinstance(self.column, str):
            raise DataError(f"Goal: column must be the name of a column of the options, not {self.column!r}")
        if self.sense not in ("most", "least") or self.counted not in ("option", "release"):
            raise DataError(f"{self.title}: sense is most or least, counted is option or release")
        if not is_share(self.tolerance):
            raise DataError(f"{self.title}: tolerance is a share from 0 to 1, not {self.tolerance!r}")
        if _NOT_SUMS.search(self.column.lower()):
            raise DataError(
                f"goal {self.column}: a score, rank, class, share or place puts hazards in order but does "
                "not add up; give a quantity, for example accidents averted, people, m2 or USD"
            )

    @property
    def title(self) -> str:
        """Its name in messages and tables."""
        return self.name or f"{self.sense} {self.column}"

    @property
    def is_benefit(self) -> bool:
        """Whether it is the benefit itself, with bonuses."""
        return self.column == "benefit" and self.sense == "most" and self.counted == "option"

    def values(self, listing: Listing) -> Floats:
        """Return what each option adds to it.

        Raises
        ------
        DataError
            If there is no such column, or its numbers do not add up along a hazard's path.
        """
        asker = f"goal {self.title}"
        out = listing.benefit if self.column == "benefit" else listing.numbers(self.column, asker)
        if self.counted == "release":
            return np.where(_releases(listing), out, 0.0)
        _require_sums(listing, out, asker)
        return out


def _releases(listing: Listing) -> Mask:
    """Say which options bring their hazard to its last state."""
    ends = (last_states(listing)[listing.hazard] >> listing.dst.astype(np.uint64)) & np.uint64(1) == 1
    out: Mask = ends & (listing.src != listing.dst)
    return out


def _require_sums(listing: Listing, values: Floats, asker: str) -> None:
    """Refuse what looks like a rank, and what belongs to the hazard, not to work on it."""
    own = values[listing.first[:-1]]
    if len(own) >= 20 and np.array_equal(np.sort(own), np.arange(1, len(own) + 1)):
        raise DataError(f"{asker}: it runs from 1 to the number of hazards: a rank does not add up")
    if "state_from" not in listing.frame or not values.any():
        return
    place = listing.hazard * 10_000 + listing.year
    order = np.argsort(place, kind="stable")
    same = place[order][1:] == place[order][:-1]
    if same.any() and (values[order][1:][same] == values[order][:-1][same]).all():
        raise DataError(
            f"{asker}: all options of a hazard in a year have the same number, so survey and clearance would "
            "count it twice; give counted='release'"
        )


@dataclass(frozen=True)
class Keep(Rule):
    """A plan's sum of a column stays above or below a limit: what an earlier goal has reached.

    Parameters
    ----------
    column
        Column of the options.
    at_least, at_most
        Limits of its sum.
    counted
        As in `Goal`.
    name
        What to call it.
    """

    column: str
    _: KW_ONLY
    at_least: float | None = None
    at_most: float | None = None
    counted: Counted = "option"
    name: str = ""

    def compiled(self, listing: Listing, number: int) -> Compiled:
        """One row over all options."""
        values = Goal(self.column, counted=self.counted).values(listing)
        family = Family(
            rule=number,
            labels=(self.title,),
            key=np.zeros(len(values), np.int64),
            coef=values,
            pattern=sparse.csr_array(np.ones((1, 1))),
            lower=np.array([-np.inf if self.at_least is None else self.at_least]),
            upper=np.array([np.inf if self.at_most is None else self.at_most]),
            column=self.column,
        )
        return Compiled(families=(family,))

    def kept(self, chosen: pd.DataFrame, options: pd.DataFrame) -> str:
        """Say what the plan has of it, and what it may not fall short of or exceed."""
        words = ("at least", self.at_least), ("at most", self.at_most)
        limits = [f"{said} {few(limit)}" for said, limit in words if limit is not None]
        return f"{few(self._sum(chosen, options))}, {' and '.join(limits)} asked for"

    def _sum(self, chosen: pd.DataFrame, options: pd.DataFrame) -> float:
        rows = chosen if self.counted == "option" else _last_rows(chosen, options)
        return total(rows[self.column])

    def faults(self, chosen: pd.DataFrame, options: pd.DataFrame) -> list[str]:
        """Add up the column."""
        got = self._sum(chosen, options)
        slack = 1e-8 * max(abs(got), 1e-9)
        short = self.at_least is not None and got < self.at_least - slack
        over = self.at_most is not None and got > self.at_most + slack
        limit = self.at_least if short else self.at_most
        return [f"{self.title}: {got:,.6g} of {limit:,.6g}"] if short or over else []


def _last_rows(chosen: pd.DataFrame, options: pd.DataFrame) -> pd.DataFrame:
    """Keep the rows that lead to a state from which none of the hazard's options leads on."""
    if "state_from" not in options:
        return chosen
    steps = options[options["state_from"].astype(str) != options["state_to"].astype(str)]
    onward = set(zip(steps["hazard_id"], steps["state_from"].astype(str), strict=True))
    ends = zip(chosen["hazard_id"], chosen["state_to"].astype(str), strict=True)
    moves = chosen["state_from"].astype(str) != chosen["state_to"].astype(str)
    return chosen[np.array([end not in onward for end in ends], dtype=bool) & moves.to_numpy()]


@dataclass(frozen=True)
class Finished(Rule):
    """Hazards reach their last state by a year: communities that a goal has completed stay complete.

    Parameters
    ----------
    hazards
        Hazards.
    by
        Last year of each of them.
    name
        What to call it.
    """

    hazards: tuple[str, ...]
    by: tuple[int, ...]
    name: str = ""

    def compiled(self, listing: Listing, number: int) -> Compiled:
        """One mark that the paths of these hazards must end with."""
        at = listing.hazard_ids.get_indexer(pd.Index(self.hazards))
        must = np.zeros(len(listing.hazard_ids), bool)
        must[at] = True
        last = np.full(len(must), -1)
        last[at] = self.by
        sets = _releases(listing) & (listing.year <= last[listing.hazard])
        return Compiled(marks=(Marks(rule=number, sets=sets, asks=np.zeros(len(sets), bool), must=must),))

    def kept(self, chosen: pd.DataFrame, options: pd.DataFrame) -> str:  # noqa: ARG002 - as in Rule
        """Say how many they are."""
        return f"kept: {len(self.hazards):,} hazards stay complete"

    def faults(self, chosen: pd.DataFrame, options: pd.DataFrame) -> list[str]:
        """Look for the last step of each hazard."""
        rows = _last_rows(chosen, options)
        years = rows["year"] if "year" in rows else pd.Series(0, index=rows.index)
        ids = rows["hazard_id"] if "hazard_id" in rows else rows["option_id"]
        done = dict(zip(ids, years, strict=True))
        pairs = zip(self.hazards, self.by, strict=True)
        return [f"{self.title}: {h!r} is not finished by {y}" for h, y in pairs if done.get(h, np.inf) > y]


@dataclass(frozen=True, kw_only=True, repr=False)
class GoalPlan:
    """A plan made for several goals, and what each of them got.

    Parameters
    ----------
    plan
        The plan; its rules hold what earlier goals keep, its benefit is the true one.
    table
        One row per goal: goal, reached (when it was its turn), bound (no plan that keeps what the goals
        before it keep can have more, or less), gap, tolerance, final (in the plan), given_up (final against
        reached, as a share: what later goals cost it), bonus (what of final is bonuses, which avert nothing
        by themselves).
    """

    plan: Plan
    table: pd.DataFrame = field(repr=False)

    def __str__(self) -> str:
        lines = ["Goals, one after the other:"]
        for i, row in enumerate(self.table.to_dict("records"), 1):
            lost = f"; later goals cost it {row['given_up']:.2%}" if row["given_up"] > SAME else ""
            own = few(row["reached"]) + (", bonuses counted in" if row["bonus"] else "")
            lines.append(
                f"  {i}. {row['goal']}: {self._final(row)} (by itself {own}, gap {row['gap']:.2%}{lost})"
            )
        return "\n".join([*lines, str(self.plan)])

    def _final(self, row: dict[Any, Any]) -> str:
        """Say what the plan has of a goal, bonuses apart."""
        if not row["bonus"]:
            return few(row["final"])
        return told_apart(row["final"] - row["bonus"], row["bonus"], self.plan.benefit_unit)

    def __repr__(self) -> str:
        return f"<GoalPlan of {len(self.table)} goals: {self.plan!r}>"

    def _repr_html_(self) -> str:
        goals = self.table.to_html(index=False, escape=True, float_format=lambda v: f"{v:,.4g}")
        return f"<div>{goals}{self.plan._repr_html_()}</div>"


def prioritize_goals(
    options: pd.DataFrame,
    rules: Sequence[Rule],
    goals: Goal | Sequence[Goal],
    *,
    gap: float = 1e-3,
    seconds: float = 60.0,
    exact: bool = False,
) -> GoalPlan:
    """Plan for several goals in their order: harm first, displaced people second, cost third.

    Parameters
    ----------
    options, rules
        As for `prioritize`.
    goals
        The first goal is met as well as can be; of what it reaches, later ones may take no more than its
        tolerance; and so on.
    gap
        How far from the best is good enough, for each goal.
    seconds
        When to stop looking, for all goals together.
    exact
        Look for proven best plans (``gap=0``).

    Returns
    -------
    GoalPlan

    Raises
    ------
    DataError
        If there is no goal, if a goal's column does not add up (a score, a rank), or if a rule pays for
        neighbors worked on together (`Compact`), which goals do not know.
    PlanError
        If no plan keeps all rules.

    Notes
    -----
    What a goal has reached, z, less its tolerance t of it, is a limit for the goals after it: their plans add
    up to at least z - t z (for ``least``: at most z + t z), a row like any other, tested by the independent
    check. Communities that the benefit has counted as complete stay complete.

    Examples
    --------
    >>> options = pd.DataFrame({"hazard_id": list("abc"), "cost_usd": [3, 1, 1], "benefit": [5.0, 2.5, 2.4]})
    >>> from ccm_geo.planning import Budget
    >>> cheap = [Goal(tolerance=0.02), Goal("cost_usd", sense="least")]
    >>> found = prioritize_goals(options, [Budget(3)], cheap, exact=True)
    >>> found.plan.table["hazard_id"].tolist(), found.table["final"].tolist()
    (['b', 'c'], [4.9, 2.0])
    """
    require_search("goals", gap=gap, seconds=seconds)
    rules = read_rules(rules)
    if not isinstance(goals, (Goal, Iterable)) or isinstance(goals, str):
        raise DataError(f"goals: {goals!r} is not a goal; give Goal('people', counted='release') and so on")
    wanted = (goals,) if isinstance(goals, Goal) else tuple(goals)
    wrong = [g for g in wanted if not isinstance(g, Goal)]
    if wrong:
        raise DataError(
            f"goals: {wrong[0]!r} is not a goal; give Goal('people', counted='release') and so on"
        )
    if not wanted:
        raise DataError("goals: give one goal at least, for example Goal() for the benefit")
    listing = Listing.of(options)
    advice = looked_over(listing, tuple(rules))
    until = time.monotonic() + seconds
    kept: list[Rule] = []
    stages: list[_Stage] = []
    for i, goal in enumerate(wanted):
        model = build(listing, (*rules, *kept))
        if model.pairs:
            raise DataError(
                "goals: neighbors worked on together (Compact) bring a bonus that goals do not know"
            )
        part = max(until - time.monotonic(), 0.5) / (len(wanted) - i)
        stage = _stage(model, goal, stages, gap=0.0 if exact else gap, seconds=part)
        if stage is None:
            raise explain(listing, tuple(rules), seconds=seconds)
        stages.append(stage)
        if i + 1 < len(wanted):
            kept += _keeping(goal, stage, model)
    model = build(listing, (*rules, *kept))
    later = " and ".join(g.title for g in wanted if not g.is_benefit)
    plan = checked_plan(options, model, _as_benefit(model, stages), advice, later=later)
    return GoalPlan(plan=plan, table=_table(wanted, stages, listing, plan))


@dataclass(frozen=True, kw_only=True)
class _Stage:
    """What one goal reached, and the plan that did."""

    goal: Goal
    taken: Mask
    reached: float
    bound: float


def _stage(model: Model, goal: Goal, before: list[_Stage], *, gap: float, seconds: float) -> _Stage | None:
    """Plan for one goal; the plan of the goal before it will do where none better is found."""
    sign = 1.0 if goal.sense == "most" else -1.0
    staged = model
    if not goal.is_benefit:
        listing = replace(model.listing, benefit=sign * goal.values(model.listing))
        staged = replace(model, listing=listing, completions=())
    found = solve(staged, gap=gap, seconds=seconds)
    arcs = Arcs.of(replace(staged, allowed=np.ones(len(model.allowed), bool)))
    if found is None and not before:
        return None
    plans = [*([found.taken] if found is not None else []), *(s.taken for s in before[-1:])]
    best = max(plans, key=arcs.worth)
    bound = found.bound if found is not None else lowest_bound(Arcs.of(staged), Rows.of(staged)).bound
    return _Stage(
        goal=goal, taken=best, reached=sign * arcs.worth(best), bound=sign * max(bound, arcs.worth(best))
    )


def _keeping(goal: Goal, stage: _Stage, model: Model) -> list[Rule]:
    """Turn what a goal has reached into rules for later ones."""
    slack = goal.tolerance * abs(stage.reached) + SAME * abs(stage.reached)
    said = f"keep {goal.title}"
    if goal.sense == "least":
        return [Keep(goal.column, at_most=stage.reached + slack, counted=goal.counted, name=said)]
    if not goal.is_benefit or not model.completions:
        return [Keep(goal.column, at_least=stage.reached - slack, counted=goal.counted, name=said)]
    stay, bonus = _completed(model, stage.taken)
    floor = stage.reached - slack - bonus
    return [*stay, Keep("benefit", at_least=floor, name=said)]


def _completed(model: Model, taken: Mask) -> tuple[list[Rule], float]:
    """Name the hazards whose completion brought bonuses, by year, and what it brought."""
    arcs = Arcs.of(replace(model, allowed=np.ones(len(taken), bool)))
    done, begin = arcs.done(taken), int(model.listing.year.min())
    last: dict[str, int] = {}
    bonus = 0.0
    for completion in model.completions:
        brought = completion.brought(done)
        bonus += float(brought.sum())
        for h in np.nonzero((completion.group >= 0) & (brought[completion.group] > 0))[0]:
            group = completion.group == completion.group[h]
            year = begin + int(done[group].max())
            name = str(model.listing.hazard_ids[h])
            last[name] = min(year, last.get(name, year))
    rules: list[Rule] = []
    if last:
        rules = [Finished(tuple(last), tuple(last.values()), name="keep what is complete")]
    return rules, bonus


def _as_benefit(model: Model, stages: list[_Stage]) -> Solution:
    """Price the last plan in benefit, under the rules and what earlier goals keep."""
    arcs, rows = Arcs.of(model), Rows.of(model)
    arcs = arcs.keep(~too_large(arcs, rows))
    priced = lowest_bound(arcs, rows)
    taken = stages[-1].taken
    benefit = arcs.worth(taken[arcs.origin])
    bounds = [s.bound for s in stages if s.goal.is_benefit]
    loss = np.full(len(taken), np.inf)
    loss[arcs.origin] = losses(arcs, rows, priced)
    return Solution(
        taken=taken,
        benefit=benefit,
        bound=max(benefit, min([priced.bound + 1e-12 * abs(priced.bound), *bounds])),
        prices=priced.prices,
        loss=loss,
        best=priced.best,
    )


def _table(goals: Sequence[Goal], stages: list[_Stage], listing: Listing, plan: Plan) -> pd.DataFrame:
    rows = []
    for goal, stage in zip(goals, stages, strict=True):
        final = plan.benefit if goal.is_benefit else float(goal.values(listing)[stages[-1].taken].sum())
        size = abs(stage.reached)
        worse = (stage.reached - final) * (1 if goal.sense == "most" else -1)
        rows.append(
            {
                "goal": goal.title,
                "reached": stage.reached,
                "bound": stage.bound,
                "gap": abs(stage.bound - stage.reached) / max(abs(stage.bound), size) if size else 0.0,
                "tolerance": goal.tolerance,
                "final": final,
                "given_up": max(0.0, worse) / size if size else 0.0,
                "bonus": bonus_of(plan) if goal.is_benefit else 0.0,
            }
        )
    return pd.DataFrame(rows)
