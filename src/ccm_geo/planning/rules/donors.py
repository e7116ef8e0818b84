"""Money from several donors, each for its own purpose: what it can pay in all, and who pays what.

An option may be paid from any grant whose purpose it fits, and from several. Whether the grants can pay a
plan is a question of transport: money flows from grants to options. They can, exactly if every set of
grants covers what is spent on options that only these grants may pay (Hall's condition). Options that the
same grants fit count alike, so only sets of grants that occur together matter; few of these bind, and they
come to light while planning (`_pots`).
"""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

import networkx as nx
import numpy as np
import pandas as pd
from scipy import sparse

from ccm_geo.errors import DataError
from ccm_geo.planning.listing import Floats, Ints, Listing, Mask, Where, matching
from ccm_geo.planning.model import Compiled, Family
from ccm_geo.schemas import Note

from ._given import by_year, is_amount, require_flag, require_where
from ._pots import Pots
from .limits import GIVEN, Rule, joined, listed, rows_where

if TYPE_CHECKING:
    from ccm_geo.planning.plan import Plan

ALL_UP_TO = 24
"""Rows that are laid out at once; of more, only those that come to light."""

_MOST_GRANTS = 40  # a group's grants and its year fit one whole number
_MOST = 1e13  # USD; far above any program, and up to 9e13 a double still tells single cents
_ALWAYS = -1  # the year of money that is not tied to one
Pot = tuple[int, int]
"""Money of one grant (its place) that came in one year (or `_ALWAYS`)."""


@dataclass(frozen=True)
class Grant:
    """Money from one donor for one purpose.

    Parameters
    ----------
    name
        What to call it, for example the donor and the contract.
    amount
        USD by calendar year, or one number for all years together.
    where
        Columns of the options with the values it may pay for, for example
        ``{"adm1": ["P01", "P02"], "activity": "clearance"}``; None: anything.
    carry_over
        What is left of a year can be spent in later ones.

    Examples
    --------
    >>> Grant("Norway", {2027: 2e5, 2028: 1e5}, where={"adm1": "P01"}).total
    300000.0
    """

    name: str
    amount: Mapping[int, float] | float
    _: KW_ONLY
    where: Where | None = None
    carry_over: bool = False

    def __post_init__(self) -> None:
        """Refuse amounts that are none."""
        amounts = self.amount.values() if isinstance(self.amount, Mapping) else [self.amount]
        if not self.name or not isinstance(self.name, str):
            raise DataError(f"Grant: it needs a name, not {self.name!r}")
        asker = f"Grant {self.name}"
        if not amounts or not all(map(is_amount, amounts)):
            raise DataError(f"{asker}: amounts must be numbers of 0 or more, not {self.amount!r}")
        if max(map(float, amounts)) > _MOST:
            raise DataError(f"{asker}: {self.amount!r} is more than cents are counted for; at most {_MOST:g}")
        require_where(self.where, asker)
        require_flag(self.carry_over, asker, "carry_over")
        if isinstance(self.amount, Mapping):
            object.__setattr__(self, "amount", by_year(self.amount, asker))

    @property
    def total(self) -> float:
        """USD in all."""
        return math.fsum(self.amount.values()) if isinstance(self.amount, Mapping) else float(self.amount)

    @property
    def pots(self) -> dict[int, int]:
        """Cents by the year in which they come; `_ALWAYS` for money of no year."""
        by_year = self.amount if isinstance(self.amount, Mapping) else {_ALWAYS: self.amount}
        return {y: math.floor(100 * a + 1e-4) for y, a in by_year.items()}

    def pays_in(self, came: int, year: int) -> bool:
        """Say whether money that came in one year can be spent in another."""
        return came in (_ALWAYS, year) or (self.carry_over and came < year)


@dataclass(frozen=True, init=False)
class Donors(Rule):
    """Every option is paid from grants whose purpose it fits; no grant pays more than it has.

    An option that no grant fits cannot be planned; one that costs nothing needs no grant. Own money of the
    government is a `Grant` without `where`. A cap on what is spent on a purpose, whoever pays, is a
    `Budget` with `where`.

    Parameters
    ----------
    *grants
        Each with a name of its own.
    name
        What to call the rule.

    Notes
    -----
    Let an option's signature be the set of grants that fit it, and a pot the money of a grant that came in
    one year. For every union U of the pots that the options of some signatures and years may be paid from:
    the options all of whose pots lie in U cost at most the money in U. Unions that fall apart into two
    without an option in both follow from their parts and are left out. More than 24 unions are not laid out
    at once: planning begins with those of all money up to each year, and whenever a plan is found that the
    grants cannot pay, the unions that fall short are added. `Plan.use` shows those that were needed.

    Examples
    --------
    >>> rule = Donors(Grant("Norway", {2027: 2e5}, where={"adm1": "P01"}), Grant("Pooled fund", 5e5))
    >>> rule.grants[1].total
    500000.0
    """

    grants: tuple[Grant, ...]
    name: str = ""
    _known: tuple[frozenset[Pot], ...] = field(default=(), repr=False, compare=False)

    def __init__(self, *grants: Grant, name: str = "", _known: tuple[frozenset[Pot], ...] = ()) -> None:
        wrong = [g for g in grants if not isinstance(g, Grant)]
        if wrong or not grants:
            raise DataError(f"Donors: give one Grant(...) or several, not {wrong[0] if wrong else 'none'!r}")
        names = [g.name for g in grants]
        twice = [n for n in names if names.count(n) > 1]
        if len(grants) > _MOST_GRANTS:
            raise DataError(
                f"Donors: {len(grants)} grants; join those of one purpose, {_MOST_GRANTS} at most"
            )
        if twice:
            raise DataError(f"Donors: two grants are called {twice[0]!r}; give each a name of its own")
        object.__setattr__(self, "grants", tuple(grants))
        object.__setattr__(self, "name", name)
        object.__setattr__(self, "_known", _known)

    @property
    def spoken(self) -> str:
        """Its name with its grants."""
        return f"{self.title} ({listed(f'{g.name}: {g.total:,.2f}' for g in self.grants)})"

    def spendable(self, of: str) -> float:
        """Add up all grants."""
        return math.fsum(g.total for g in self.grants) if of == "cost_usd" else math.inf

    def fitted(self, listing: Listing, rules: tuple[Rule, ...]) -> tuple["Donors", list[Note]]:  # noqa: ARG002 - as in Rule
        """Name the years of the money; say what no grant may pay."""
        years = listing.years if "year" in listing.frame else None
        for grant in self.grants:
            self._require_years(grant, years)
        fits = self._fits(listing.frame)
        cost = listing.numbers("cost_usd", self.title)
        orphans = ~fits.any(axis=0) & (cost > 0)
        notes = []
        if orphans.any():
            which = pd.unique(listing.hazard[orphans])
            text = f"{self.title}: no grant may pay {int(orphans.sum()):,} options; they cannot be planned"
            notes.append(
                Note(
                    "plan",
                    "assumed",
                    text,
                    int(orphans.sum()),
                    tuple(str(listing.hazard_ids[h]) for h in which[:50]),
                )
            )
        return self, notes

    @staticmethod
    def _require_years(grant: Grant, years: Ints | None) -> None:
        if not isinstance(grant.amount, Mapping):
            return
        if years is None:
            told = "it goes by year but the options have no column 'year'; give one amount"
            raise DataError(f"Grant {grant.name}: {told}")
        first, last = int(years[0]), int(years[-1])
        lost = [y for y in grant.amount if y > last or (y < first and not grant.carry_over)]
        if lost:
            raise DataError(
                f"Grant {grant.name}: there are no options in {listed(lost)}; options cover {first} to {last}"
            )

    def _fits(self, frame: pd.DataFrame) -> Mask:
        """Say which grants fit which options, shape ``(grants, options)``."""
        named = dict.fromkeys(c for grant in self.grants for c in (grant.where or {}) if c in frame)
        known = {c: pd.factorize(frame[c]) for c in named}
        return np.array([self._fitting(grant, frame, known) for grant in self.grants])

    @staticmethod
    def _fitting(grant: Grant, frame: pd.DataFrame, known: Mapping[str, Any]) -> Mask:
        """Look a grant's purpose up among the values of each column, not in every row."""
        held = np.ones(len(frame), bool)
        for column, wanted in (grant.where or {}).items():
            if column not in known:
                return matching(
                    frame, grant.where, f"Grant {grant.name}"
                )  # says that there is no such column
            codes, values = known[column]
            own = matching(pd.DataFrame({column: values}), {column: wanted}, f"Grant {grant.name}")
            held &= np.append(own, False)[codes]
        return held

    def compiled(self, listing: Listing, number: int) -> Compiled:
        """One row per union of pots; options grouped by signature and year, their costs in whole cents."""
        cost = listing.numbers("cost_usd", self.title)
        if cost.max() > _MOST:
            most = listing.frame["option_id"].iloc[int(cost.argmax())]
            raise DataError(
                f"{self.title}: option {most!r} costs {cost.max():g}, more than cents are counted for; "
                f"give cost_usd of at most {_MOST:g}"
            )
        cents = np.rint(100 * cost).astype(np.int64)
        key, sources = self._groups(listing, cents > 0)
        every = self._every_union(sources)
        unions = every if every is not None else self._known or self._up_to_each_year(sources)
        pots = self._money()
        hidden = Pots(
            may=self._masks(sources),
            money=np.array(list(pots.values()), dtype=np.int64),
            spent=np.zeros(len(sources), np.int64),
            sets=self._masks(unions),
            named=partial(self._named_mask, tuple(pots)),
            complete=every is not None,
        )
        labels, pattern, upper = hidden.rows(hidden.sets)
        family = Family(
            rule=number,
            labels=labels,
            key=key,
            coef=cents / 100,
            pattern=pattern,
            lower=np.full(len(upper), -np.inf),
            upper=upper,
            column="cost_usd",
            hidden=hidden,
        )
        unpaid = (cents > 0) & (key < 0)
        return Compiled(families=(family,), forbidden=unpaid if unpaid.any() else None)

    def _masks(self, sets: Sequence[frozenset[Pot]]) -> Mask:
        """Say which pots each set holds, shape ``(sets, pots)``."""
        pots = list(self._money())
        return np.array([[p in own for p in pots] for own in sets], dtype=bool).reshape(len(sets), len(pots))

    def knowing(self, families: Sequence[Family]) -> "Donors":
        """Remember the rows that are laid out, where not all are."""
        pots = np.array([*self._money(), (0, 0)])[:-1]
        (hidden,) = (f.hidden for f in families)
        if not isinstance(hidden, Pots) or hidden.complete:
            return self
        known = tuple(frozenset((int(g), int(came)) for g, came in pots[own]) for own in hidden.sets)
        return Donors(*self.grants, name=self.name, _known=known)

    def _groups(self, listing: Listing, paid: Mask) -> tuple[Ints, list[frozenset[Pot]]]:
        """Group options by the pots that may pay them; -1 for what costs nothing or nobody pays."""
        bits = (1 << np.arange(len(self.grants), dtype=np.int64)) @ self._fits(listing.frame)
        codes, kinds = pd.factorize(bits[paid] * 10_000 + listing.year[paid])
        sources = [
            self._sources([g for g in range(len(self.grants)) if kind // 10_000 >> g & 1], kind % 10_000)
            for kind in kinds.tolist()
        ]
        known = list(dict.fromkeys(pots for pots in sources if pots))
        place = np.array([known.index(pots) if pots else -1 for pots in sources], dtype=np.int64)
        key = np.full(len(paid), -1, np.int64)
        key[paid] = place[codes]
        return key, known

    def _money(self) -> dict[Pot, int]:
        return {(g, came): cents for g, grant in enumerate(self.grants) for came, cents in grant.pots.items()}

    def _sources(self, fitting: Iterable[int], year: int) -> frozenset[Pot]:
        """Return the pots that options of a signature and year may be paid from."""
        return frozenset(
            (g, came) for g in fitting for came in self.grants[g].pots if self.grants[g].pays_in(came, year)
        )

    def _every_union(self, sources: Sequence[frozenset[Pot]]) -> list[frozenset[Pot]] | None:
        """Join sets of pots that overlap in every way, each result once; None where there are too many."""
        found = dict.fromkeys(sources)
        waiting = list(found)
        while waiting and len(found) <= ALL_UP_TO:
            union = waiting.pop()
            for pots in sources:
                more = union | pots
                if more not in found and not union.isdisjoint(pots):
                    found[more] = None
                    waiting.append(more)
        return sorted(found, key=lambda u: (len(u), sorted(u))) if len(found) <= ALL_UP_TO else None

    def _up_to_each_year(self, sources: Sequence[frozenset[Pot]]) -> list[frozenset[Pot]]:
        """Join sets of pots that overlap, of all money that came up to each year."""
        latest = [max(came for _, came in pots) for pots in sources]
        found: dict[frozenset[Pot], None] = {}
        for year in sorted(set(latest)):
            parts: list[frozenset[Pot]] = []
            for pots, came in zip(sources, latest, strict=True):
                if came <= year:
                    touched = [part for part in parts if not part.isdisjoint(pots)]
                    parts = [part for part in parts if part.isdisjoint(pots)]
                    parts.append(pots.union(*touched))
            found.update(dict.fromkeys(parts))
        return list(found)

    def _named_mask(self, pots: Sequence[Pot], which: Mask) -> str:
        return f"{self.title}: {self._named(frozenset(p for p, w in zip(pots, which, strict=True) if w))}"

    def _named(self, union: frozenset[Pot]) -> str:
        """Write "Norway 2027 + Pooled fund"."""
        parts = []
        for g, grant in enumerate(self.grants):
            years = sorted(came for place, came in union if place == g)
            if years:
                span = (
                    ""
                    if years[0] == _ALWAYS
                    else f" {years[0]}"
                    if len(years) == 1
                    else f" {years[0]}-{years[-1]}"
                )
                parts.append(f"{grant.name}{span}")
        return " + ".join(parts)

    def knobs(self, families: Sequence[Family], listing: Listing) -> sparse.csr_array:  # noqa: ARG002 - as in Rule
        """One knob a pot: its money helps every row that counts on it."""
        (hidden,) = (f.hidden for f in families)
        sets = hidden.sets if isinstance(hidden, Pots) else np.zeros((0, len(self._money())))
        return sparse.csr_array(sets.astype(float))

    def cure(self, families: Sequence[Family], given: Floats, taken: Mask) -> str:  # noqa: ARG002 - as in Rule
        """Name the grants that would do."""
        return joined(
            f"{self._named(frozenset([pot]))} of {(cents + math.ceil(100 * g - 1e-4)) / 100:,.2f} "
            f"in place of {cents / 100:,.2f}"
            for (pot, cents), g in zip(self._money().items(), given, strict=True)
            if g > GIVEN
        )

    def faults(self, chosen: pd.DataFrame, options: pd.DataFrame) -> list[str]:  # noqa: ARG002 - as in Rule
        """Let money flow from pots to the options chosen; what stays unpaid is the fault."""
        needs = self._needs(chosen)
        graph = self._graph({need: sum(cents) for need, (_, cents) in needs.items()})
        paid, _ = nx.maximum_flow(graph, "money", "paid")
        short = sum(sum(cents) for _, cents in needs.values()) - paid
        return [f"{self.title}: no grant pays {short / 100:,.2f} of what is planned"] if short else []

    def _needs(self, chosen: pd.DataFrame) -> dict[tuple[tuple[int, ...], int], tuple[list[int], list[int]]]:
        """Group chosen rows by the grants that fit and year: places in the table, and cents."""
        fitting: list[list[int]] = [[] for _ in range(len(chosen))]
        places = pd.Series(range(len(chosen)), index=chosen.index)
        for g, grant in enumerate(self.grants):
            for place in places[rows_where(chosen, grant.where).index]:
                fitting[place].append(g)
        years = chosen["year"].tolist() if "year" in chosen else [0] * len(chosen)
        needs: dict[tuple[tuple[int, ...], int], tuple[list[int], list[int]]] = {}
        for place, (year, cost) in enumerate(zip(years, chosen["cost_usd"].tolist(), strict=True)):
            if cost > 0:
                at, cents = needs.setdefault((tuple(fitting[place]), int(year)), ([], []))
                at.append(place)
                cents.append(round(100 * cost))
        return needs

    def _graph(self, needs: Mapping[tuple[tuple[int, ...], int], int]) -> nx.DiGraph:
        """Lay pipes from pots to needs; narrow grants, and money about to lapse, flow first."""
        graph = nx.DiGraph()
        graph.add_nodes_from(("money", "paid"))
        width = [
            sum(g in fitting for fitting, _ in needs) + len(needs) * (grant.where is None)
            for g, grant in enumerate(self.grants)
        ]
        for pot, cents in self._money().items():
            graph.add_edge("money", pot, capacity=cents)
        for need, cents in needs.items():
            graph.add_edge(need, "paid", capacity=cents)
            for g, came in sorted(self._sources(*need)):
                late = 2 * width[g] + self.grants[g].carry_over
                graph.add_edge((g, came), need, capacity=cents, weight=100 * late + max(came, 0) % 100)
        return graph


def paid_by(plan: "Plan", *, by: str | Sequence[str] = ("year", "activity")) -> pd.DataFrame:
    """Split what a plan costs among its grants: who pays what.

    Of the many splits that keep every grant to its purpose and money, one is shown that spends narrow grants
    and money about to lapse first, so that what is left over is of most use.

    Parameters
    ----------
    plan
        A plan made under one `Donors` rule.
    by
        Column or columns of the plan's table to tell apart, besides the grant.

    Returns
    -------
    pandas.DataFrame
        Columns grant, those of `by`, and paid_usd, above 0; the rows add up to the plan's cost to the cent.
        ``.attrs["left_usd"]`` maps each grant to what it has left.

    Raises
    ------
    DataError
        If the plan has no `Donors` rule, or several, or a column of `by` is not there.

    Examples
    --------
    >>> from ccm_geo.planning import prioritize
    >>> options = pd.DataFrame({"option_id": ["a", "b"], "adm1": ["P01", "P02"], "cost_usd": [5.0, 7.0],
    ...                         "benefit": [1.0, 1.0]})
    >>> plan = prioritize(options, [Donors(Grant("Norway", 4.0, where={"adm1": "P01"}), Grant("Fund", 9.0))])
    >>> table = paid_by(plan, by=["adm1"])
    >>> table.values.tolist(), table.attrs["left_usd"]
    ([['Norway', 'P01', 4.0], ['Fund', 'P01', 1.0], ['Fund', 'P02', 7.0]], {'Norway': 0.0, 'Fund': 1.0})
    """
    rules = [rule for rule in plan.rules if isinstance(rule, Donors)]
    if len(rules) != 1:
        raise DataError(f"paid_by: the plan has {len(rules)} rules of the kind Donors(...); it must have one")
    by = [by] if isinstance(by, str) else list(by)
    absent = [c for c in by if c not in plan.table]
    if absent:
        raise DataError(f"paid_by: the plan has no column {absent[0]!r}; it has {listed(plan.table.columns)}")
    (rule,) = rules
    needs = rule._needs(plan.table)  # noqa: SLF001 - the split is the rule's own flow, told by row
    flow = nx.max_flow_min_cost(rule._graph({n: sum(c) for n, (_, c) in needs.items()}), "money", "paid")  # noqa: SLF001
    rows = [row for need, (places, cents) in needs.items() for row in _poured(flow, need, places, cents)]
    left = {g.name: g.total for g in rule.grants}
    for pot, sent in flow["money"].items():
        left[rule.grants[pot[0]].name] -= sent / 100
    split = pd.DataFrame(rows, columns=["grant", "place", "cents"]).astype("int64")
    split = split.join(plan.table[list(by)].reset_index(drop=True), on="place")
    told = split.groupby(["grant", *by], observed=True, dropna=False)["cents"].sum().reset_index()
    told["grant"] = [rule.grants[g].name for g in told["grant"]]
    told = told.assign(paid_usd=told.pop("cents") / 100)
    told.attrs = {"left_usd": {name: round(usd, 2) for name, usd in left.items()}}
    return told


def _poured(
    flow: Mapping[Any, Mapping[Any, int]], need: Any, places: list[int], cents: list[int]
) -> Iterator[tuple[int, int, int]]:
    """Fill the options of one need from its pots, one after the other: grant, option, cents."""
    pots = [[pot[0], sent[need]] for pot, sent in flow.items() if isinstance(pot, tuple) and sent.get(need)]
    for place, cost in zip(places, cents, strict=True):
        due = cost
        while due:
            pot = next(p for p in pots if p[1])
            part = min(due, pot[1])
            pot[1] -= part
            due -= part
            yield pot[0], place, part
