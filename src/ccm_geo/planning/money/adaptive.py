"""Plans under money that may be cut: what to do in the first years whatever comes, and how to go on then."""

import hashlib
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from ccm_geo.errors import CcmGeoError, DataError, PlanError
from ccm_geo.planning._given import require_search
from ccm_geo.planning.choose import checked_plan
from ccm_geo.planning.conflicts import explain
from ccm_geo.planning.engine.arcs import Arcs
from ccm_geo.planning.engine.opening import opened_bound
from ccm_geo.planning.engine.prices import Rows, answer, losses
from ccm_geo.planning.engine.solve import Solution, solve
from ccm_geo.planning.findings import looked_over, read_rules
from ccm_geo.planning.listing import Listing
from ccm_geo.planning.model import Family, Model, build
from ccm_geo.planning.plan import Plan
from ccm_geo.planning.rules.limits import Budget, Rule, listed
from ccm_geo.schemas import Note

from . import adaptive_story
from .adapt import Outcome, Search, Trial
from .futures import Aim, Futures
from .scenarios import Funding

_FORESEEN = 0.1  # share of the time for the rows that each scenario by itself brings to light
_SAME = 1e-9  # nearer than this share is the same number, rounded differently


@dataclass(frozen=True, kw_only=True, repr=False)
class AdaptivePlan:
    """First decisions that hold whatever money comes, and a plan for each scenario; ``print`` tells it.

    Parameters
    ----------
    first
        Options chosen for the years before the money is known, the same in every scenario.
    plans
        By scenario: the whole plan, first decisions included. Each was checked by itself. Its `bound` is that
        of a plan made by someone who knows from the start which scenario comes.
    funding
        The scenarios.
    scenarios
        One row per scenario: probability, money_usd, benefit (with bonuses), averted (without), cost_usd;
        naive_benefit, what the plan made for the promise brings if only its later years adapt; naive_loss,
        how much less that is; and foresight_bound, what nobody can exceed who knows the scenario from the
        start.
    expected
        Mean of what the scenarios bring, with bonuses, by probability, in `benefit_unit`.
    expected_bound
        No plan with shared first years can expect more.
    worst
        What is averted in the worst scenario.
    tail
        Mean over the worst share `alpha` of probability (conditional value at risk, of a benefit).
    objective, bound
        ``(1 - worst_weight) * expected + worst_weight * tail``, and what no such plan exceeds.
    worst_weight, alpha
        What the objective was.
    naive_first
        First decisions of the plan made for the promise as if it were certain.
    naive_benefit
        What that plan hopes to avert.
    planning_worth
        What planning for the cuts brings against the naive first decisions, in units of the objective (value
        of the stochastic solution): lowest, found, highest value that is consistent with the proof. NaN where
        the naive decisions break a rule in a scenario.
    foresight_worth
        What it would be worth at most to know the scenario from the start.
    notes
        What was assumed or looks odd.
    run_id
        Short hash of options, rules and funding.
    benefit_unit
        As in `Plan`.
    """

    first: pd.DataFrame = field(repr=False)
    plans: dict[str, Plan] = field(repr=False)
    funding: Funding
    scenarios: pd.DataFrame = field(repr=False)
    expected: float
    expected_bound: float
    worst: float
    tail: float
    objective: float
    bound: float
    worst_weight: float
    alpha: float
    naive_first: pd.DataFrame = field(repr=False)
    naive_benefit: float
    planning_worth: tuple[float, float, float]
    foresight_worth: float
    notes: tuple[Note, ...]
    run_id: str
    benefit_unit: str = "accidents averted"

    @property
    def plan(self) -> Plan:
        """The plan for the first scenario, which is what is promised: maps and tables show this one."""
        return self.plans[self.funding.names[0]]

    @property
    def gap(self) -> float:
        """How much better another plan could be at most, as a share of the bound."""
        return max(0.0, (self.bound - self.objective) / self.bound) if self.bound > 0 else 0.0

    def __str__(self) -> str:
        return adaptive_story.told(self)

    def __repr__(self) -> str:
        return (
            f"<AdaptivePlan {self.run_id}: {len(self.plans)} scenarios, {len(self.first):,} first decisions, "
            f"gap {self.gap:.3%}>"
        )


def plan_under(
    options: pd.DataFrame,
    funding: Funding,
    rules: Sequence[Rule] = (),
    *,
    gap: float = 5e-3,
    seconds: float = 60.0,
    worst_weight: float = 0.0,
    alpha: float = 0.2,
) -> AdaptivePlan:
    """Plan under money that may be cut: first years decided now, later ones once it is known what comes.

    Parameters
    ----------
    options
        As for `prioritize`, with a column ``year``.
    funding
        Scenarios of money, and the year from which decisions can wait for it.
    rules
        What the plan must keep to in every scenario, without the money.
    gap
        How far from the best is good enough, as a share of the bound. What was reached stands in ``.gap``.
    seconds
        When to stop looking; about a tenth more is needed to write the answer. Where no plan at all has been
        found by then, up to as long again is spent on finding one.
    worst_weight
        How much the worst cases count: 0 for the expected benefit alone, 1 for the mean of the worst alone.
    alpha
        The worst share of probability that `worst_weight` looks at, above 0 to 1; 0.2 is the worst fifth.
        Below the probability of the worst scenario it means that scenario alone.

    Returns
    -------
    AdaptivePlan

    Raises
    ------
    DataError
        If options, funding or rules cannot be read, or no year comes before ``funding.known_from``.
    PlanError
        If no plan keeps the rules in every scenario: names the scenario and the rules in conflict.

    Notes
    -----
    The model, its bound and the search stand in ``docs/funding.md``. With one scenario it is `prioritize`.

    Examples
    --------
    >>> from ccm_geo.planning import Budget, BudgetCut
    >>> options = pd.DataFrame(
    ...     {
    ...         "option_id": ["a27", "a28", "b27", "b28"],
    ...         "hazard_id": ["a", "a", "b", "b"],
    ...         "year": [2027, 2028, 2027, 2028],
    ...         "cost_usd": [2.0, 2.0, 3.0, 3.0],
    ...         "benefit": [4.0, 3.0, 5.0, 4.5],
    ...     }
    ... )
    >>> promise = Budget({2027: 3.0, 2028: 3.0})
    >>> funding = Funding.around(promise, {"cut": (0.5, BudgetCut(1 / 3, since=2028))}, known_from=2028)
    >>> plan = plan_under(options, funding)
    >>> list(plan.first["option_id"]), plan.expected, plan.gap
    (['b27'], 8.0, 0.0)
    """
    if not isinstance(funding, Funding):
        raise DataError(
            "plan_under: funding must be a Funding, for example Funding.around(Budget({2027: ...}), cuts, "
            f"known_from=2028), not {funding!r}"
        )
    _require_sense(gap, seconds, worst_weight, alpha)
    listing = Listing.of(options)
    if "year" not in listing.frame:
        raise DataError("plan_under: options have no column 'year'; funding goes by year")
    if funding.known_from <= int(listing.years[0]):
        raise DataError(
            f"plan_under: the options begin in {listing.years[0]} and the money is known from "
            f"{funding.known_from}, so nothing is decided before; use prioritize for each scenario"
        )
    rules = read_rules(rules)
    given = {name: (*funding.money(name), *rules) for name in funding.names}
    advice = [note for own in given.values() for note in looked_over(listing, own)]
    models = [build(listing, own) for own in given.values()]
    _require_same_rows(models, funding)
    aim = Aim(
        chance=np.array(list(funding.probabilities.values())), worst=float(worst_weight), alpha=float(alpha)
    )
    futures, found = _searched(models, funding.known_from, aim, gap=gap, seconds=seconds)
    if found is None:
        raise _no_plan(listing, given, seconds)
    notes = [*_shared_money(funding, listing), *_money_twice(rules)]
    return _told(options, funding, futures, aim, found, [*advice, *notes], tuple(rules))


def _money_twice(rules: Sequence[Rule]) -> list[Note]:
    """Say where money that is not the funding's stands among the rules: it holds in every scenario."""
    own = [r.title for r in rules if isinstance(r, Budget) and r.of == "cost_usd" and r.where is None]
    text = f"{listed(own)}: a budget among the rules holds in every scenario, beside the money of the funding"
    return [Note("plan", "advice", text)] if own else []


def _require_sense(gap: float, seconds: float, worst_weight: float, alpha: float) -> None:
    require_search("plan_under", gap=gap, seconds=seconds)
    for name, value in (("worst_weight", worst_weight), ("alpha", alpha)):
        if isinstance(value, bool) or not isinstance(value, (int, float, np.integer, np.floating)):
            raise DataError(f"plan_under: {name} {value!r} is not a number from 0 to 1")
    if not 0 <= worst_weight <= 1 or not 0 < alpha <= 1:
        raise DataError(
            f"plan_under: worst_weight {worst_weight} goes from 0 to 1, alpha {alpha} from above 0 to 1"
        )


def _require_same_rows(models: Sequence[Model], funding: Funding) -> None:
    """Scenarios may differ in limits only."""
    base = [(f.labels, f.key.tobytes(), f.coef.tobytes()) for f in models[0].families]
    for name, model in zip(funding.names, models, strict=True):
        if [(f.labels, f.key.tobytes(), f.coef.tobytes()) for f in model.families] != base:
            raise DataError(
                f"plan_under: the money of {name!r} is laid out otherwise than that of {funding.names[0]!r}; "
                "name the same budgets, years and purposes everywhere, with 0 for money that does not come"
            )


def _searched(
    models: list[Model], known_from: int, aim: Aim, *, gap: float, seconds: float
) -> tuple[Futures, Outcome | None]:
    """Look for a plan, again where rows come to light that the plans of all scenarios broke unseen."""
    until = time.monotonic() + seconds
    if models[0].hides and len(models) > 1:
        part = _FORESEEN * seconds / len(models)
        models = _alike(
            models,
            [opened_bound(m, Arcs.of(m), most_tries=60, close=1e-5, seconds=part)[0] for m in models],
        )
    while True:
        futures = Futures.of(models, known_from)
        if len(models) == 1:
            return futures, _of_one(futures, gap, seconds)
        search = Search(futures, aim, gap=gap, seconds=max(until - time.monotonic(), 0.5))
        found = search.run()
        if search.unseen is None or search.done() or time.monotonic() > until:
            return futures, found
        wider = [m.opened(chosen) or m for m, chosen in zip(models, search.unseen, strict=True)]
        models, before = _alike(models, wider), models
        if models[0].rows == before[0].rows:
            return futures, found


def _alike(models: list[Model], wider: list[Model]) -> list[Model]:
    """Lay out in every scenario the rows that have come to light in any."""

    def laid(family: Family, place: int) -> Family:
        for other in wider:
            hidden = other.families[place].hidden
            if family.hidden is not None and hidden is not None:
                family = family.hidden.laid_like(family, hidden)
        return family

    return [m.relaid([laid(f, i) for i, f in enumerate(m.families)]) for m in models]


def _of_one(futures: Futures, gap: float, seconds: float) -> Outcome | None:
    """With one scenario there is nothing to hedge against."""
    found = solve(futures.models[0], gap=gap, seconds=seconds)
    if found is None:
        return None
    shared = found.taken & (futures.models[0].listing.year < futures.known_from)
    value = futures.worth(found.taken)
    prices = futures.models[0].own(found.prices, found.laid)
    trial = Trial(
        shared=shared,
        chosen=found.taken[None],
        averted=np.array([value]),
        bounds=np.array([found.bound]),
        prices=(prices,),
    )
    return Outcome(
        best=trial,
        naive=trial,
        naive_shared=shared,
        naive_benefit=value,
        bound=max(found.bound, value),
        expected_bound=max(found.bound, value),
        foresight=np.array([max(found.bound, value)]),
        prices=prices[None],
    )


def _no_plan(listing: Listing, given: dict[str, tuple[Rule, ...]], seconds: float) -> PlanError:
    """Say which scenario's rules are in conflict, or that they are only together."""
    for name, rules in given.items():
        if solve(build(listing, rules), gap=0.5, seconds=max(seconds / 10, 1.0)) is None:
            why = explain(listing, rules, seconds=seconds)
            first = str(why).splitlines()[0]
            return PlanError(f"scenario {name!r}: {first}", conflict=why.conflict, cures=why.cures)
    return PlanError(
        f"no plan with the same first years for all scenarios was found in {seconds:g} seconds; each "
        "scenario by itself has one",
        cures=["give more seconds=", "loosen a promise or a floor that the poorest scenario cannot keep"],
    )


def _shared_money(funding: Funding, listing: Listing) -> list[Note]:
    """Say where scenarios give other amounts in years that are decided now."""
    notes, years = [], [int(y) for y in listing.years if y < funding.known_from]
    for place, base in enumerate(funding.money(funding.names[0])):
        if not isinstance(base, Budget) or not isinstance(base.amount, dict):
            continue
        for year in years:
            amounts = [funding.money(n)[place].amount.get(year, 0.0) for n in funding.names]  # type: ignore[union-attr]
            if max(amounts) - min(amounts) > 0.005:
                text = (
                    f"{base.title} {year}: between {min(amounts):,.0f} and {max(amounts):,.0f} USD may come, "
                    f"and it is decided before that is known; only {min(amounts):,.0f} is planned"
                )
                notes.append(Note("plan", "advice", text))
    return notes


def _told(
    options: pd.DataFrame,
    funding: Funding,
    futures: Futures,
    aim: Aim,
    found: Outcome,
    advice: list[Note],
    rules: tuple[Rule, ...],
) -> AdaptivePlan:
    plans = {name: _one_plan(options, futures, found, z, advice) for z, name in enumerate(funding.names)}
    first = _agreed_first(plans, funding.known_from)
    values = np.array([p.benefit for p in plans.values()])
    reached, naive = aim.of(values), found.naive
    naive_values = np.full(len(values), np.nan) if naive is None else naive.averted
    table = pd.DataFrame(
        {
            "probability": aim.chance,
            "money_usd": [_usd(funding, n) for n in funding.names],
            "benefit": values,
            "averted": [p.averted for p in plans.values()],
            "cost_usd": [p.cost_usd for p in plans.values()],
            "naive_benefit": naive_values,
            "naive_loss": values - naive_values,
            "foresight_bound": np.maximum(found.foresight, values),
        },
        index=pd.Index(funding.names, name="scenario"),
    )
    listing = futures.models[0].listing
    unit = next(iter(plans.values())).benefit_unit
    return AdaptivePlan(
        first=first,
        plans=plans,
        funding=funding,
        scenarios=table,
        expected=float(aim.chance @ values),
        expected_bound=_or_same(found.expected_bound, float(aim.chance @ values)),
        worst=float(values.min()),
        tail=aim.tail(values),
        objective=reached,
        bound=_or_same(found.bound, reached),
        worst_weight=aim.worst,
        alpha=aim.alpha,
        naive_first=listing.frame[found.naive_shared].reset_index(drop=True),
        naive_benefit=found.naive_benefit,
        planning_worth=_worth(aim, reached, found),
        foresight_worth=max(aim.of(np.maximum(found.foresight, values)) - reached, 0.0),
        notes=tuple(dict.fromkeys(n for p in plans.values() for n in p.notes)),
        run_id=_run_id(plans, funding, rules),
        benefit_unit=unit,
    )


def _or_same(bound: float, reached: float) -> float:
    return bound if bound - reached > _SAME * abs(reached) else reached


def _worth(aim: Aim, reached: float, found: Outcome) -> tuple[float, float, float]:
    """Bound what planning for the cuts brings; the best plan and the naive one are known up to their gaps."""
    if found.naive is None:
        return np.nan, np.nan, np.nan
    low, high = aim.of(found.naive.averted), aim.of(found.naive.bounds)
    least = _SAME * abs(reached)  # below that two plans are the same, added up in another order
    worth = (reached - high, reached - low, max(found.bound, reached) - low)
    return tuple(w if w > least else 0.0 for w in worth)  # type: ignore[return-value]


def _usd(funding: Funding, name: str) -> float:
    total = 0.0
    for money in funding.money(name):
        if isinstance(money, Budget):
            amount = money.amount
            total += sum(amount.values()) if isinstance(amount, dict) else float(amount)  # type: ignore[arg-type]
        else:
            total += sum(grant.total for grant in money.grants)
    return total


def _one_plan(
    options: pd.DataFrame, futures: Futures, found: Outcome, scene: int, advice: list[Note]
) -> Plan:
    """Write a scenario's plan, with prices: common ones in the first years, its own after them."""
    model, chosen = futures.models[scene], found.best.chosen[scene]
    prices = found.best.prices[scene].copy()
    if len(found.prices) > 1:
        prices[futures.once] = found.prices[0][futures.once]
    arcs, rows = Arcs.of(model), Rows.of(model)
    at_prices = answer(arcs, rows, rows.allowed(prices))
    loss = np.full(len(chosen), np.inf)
    loss[arcs.origin] = losses(arcs, rows, at_prices)
    solution = Solution(
        taken=chosen,
        benefit=float(found.best.averted[scene]),
        bound=max(float(min(found.foresight[scene], at_prices.bound)), float(found.best.averted[scene])),
        prices=at_prices.prices,
        loss=loss,
        best=at_prices.best,
    )
    return checked_plan(options, model, solution, advice)


def _agreed_first(plans: dict[str, Plan], known_from: int) -> pd.DataFrame:
    """Return the first decisions, having made sure from the finished tables that all scenarios agree."""
    parts = {name: p.table[p.table["year"] < known_from].reset_index(drop=True) for name, p in plans.items()}
    first = next(iter(parts.values()))
    for name, part in parts.items():
        if list(part["option_id"]) != list(first["option_id"]):
            raise CcmGeoError(
                f"plan_under: the plan for {name!r} has other first decisions; please report this"
            )
    return first


def _run_id(plans: dict[str, Plan], funding: Funding, rules: tuple[Rule, ...]) -> str:
    digest = hashlib.sha256(repr((funding, rules)).encode())
    for plan in plans.values():
        digest.update(plan.run_id.encode())
    return digest.hexdigest()[:10]
