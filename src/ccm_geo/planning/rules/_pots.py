"""Money in pots that pays for needs: whether it suffices, and which pots fall short where it does not.

The needs can be paid, exactly if every set U of pots holds what is spent on the needs that can be paid from
no pot outside U (Hall's condition). There are too many such sets to write down; the maximum flow from pots
to needs either pays everything or shows sets that fall short. All sums are whole cents.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, TypeAlias

import numba
import numpy as np
import numpy.typing as npt
from scipy import sparse

from ccm_geo.planning.listing import Floats, Ints, Mask
from ccm_geo.planning.model import Family, Hidden

A: TypeAlias = npt.NDArray[Any]
_AT_ONCE = 8  # sets that fall short that one flow shows at most
_MOST_OUT = 40  # pots that are left out in turn, in the look for more such sets
_NEARLY = 0.02  # share by which spending may fall short of what would break a row that is laid out in advance


@dataclass(frozen=True, kw_only=True)
class Pots:
    """Which pots may pay which needs, and the sets of pots whose rows are laid out.

    Parameters
    ----------
    may
        Whether a pot may pay a need, shape ``(needs, pots)``.
    money
        Cents in each pot.
    spent
        Cents that settled options spend on each need.
    sets
        Pots of each row that is laid out, shape ``(rows, pots)``.
    named
        Says which pots are in a set.
    complete
        Whether these are all rows that can bind.
    """

    may: Mask = field(repr=False)
    money: Ints = field(repr=False)
    spent: Ints = field(repr=False)
    sets: Mask = field(repr=False)
    named: Callable[[Mask], str] = field(repr=False)
    complete: bool

    @property
    def amounts(self) -> Floats:
        """USD in each pot."""
        return self.money / 100

    @property
    def pipes(self) -> tuple[Mask, Floats, Floats]:
        """Which pots may pay which needs, USD in each pot, USD spent on each need already."""
        return self.may, self.money / 100, self.spent / 100

    def sent(self, use: Floats) -> Floats:
        """Say how many USD flow from pots to needs, with what is spent already."""
        sent: Floats = self._poured(use)[0] / 100
        return sent

    def rows(self, sets: Mask) -> tuple[tuple[str, ...], sparse.csr_array, Floats]:
        """Lay out sets of pots as rows: their names, the needs that only they may pay, their USD."""
        inside = np.array([~(self.may & ~own).any(axis=1) for own in sets]).reshape(-1, len(self.may)).T
        left = sets @ self.money - inside.T @ self.spent
        return tuple(self.named(own) for own in sets), sparse.csr_array(inside.astype(float)), left / 100

    def pay(self, use: Floats) -> bool:
        """Say whether the pots can pay so many USD for each need, to the cent."""
        _, due = self._poured(use)
        return not due.any()

    def opened(self, family: Family, use: Floats) -> Family | None:
        """Add rows that fall short where so many USD are spent on each need; None where all is paid."""
        if self.complete:
            return None
        return None if self.pay(use) else self._with(family, self._short_at(use))

    def opened_nearly(self, family: Family, use: Floats) -> Family:
        """Add rows that would fall short if a little more were spent, here or there."""
        if self.complete:
            return family
        return self._with(family, self._short_at((1 + _NEARLY) * use))

    def laid_like(self, family: Family, other: Hidden) -> Family:
        """Add the rows of the sets that others have laid out."""
        sets = other.sets if isinstance(other, Pots) else self.sets
        return self._with(family, {own.tobytes(): own for own in sets})

    def _short_at(self, use: Floats) -> dict[bytes, Mask]:
        """Look what falls short in all, and what does so without one pot and all that it may pay.

        One flow shows the sets that fall short by most; within them others may do so, too.
        """
        found = self._short(*self._poured(use))
        count = self.may.shape[1]
        for pot in np.unique(np.linspace(0, count - 1, min(count, _MOST_OUT)).astype(int)).tolist():
            found.update(self._short(*self._poured(use, ~self.may[:, pot])))
        _, pattern, left = self.rows(np.array([*found.values()]).reshape(-1, count))
        short = np.argsort(left - pattern.T @ use, kind="stable")[:_AT_ONCE]
        every = list(found.items())
        return dict(every[place] for place in short.tolist())

    def _with(self, family: Family, sets: dict[bytes, Mask]) -> Family:
        laid = {own.tobytes() for own in self.sets}
        short = [own for own in sets.values() if own.tobytes() not in laid]
        if not short:
            return family
        fresh = np.array(short)
        labels, pattern, upper = self.rows(fresh)
        return replace(
            family,
            labels=(*family.labels, *labels),
            pattern=sparse.csr_array(sparse.hstack([family.pattern, pattern])),
            lower=np.concatenate([family.lower, np.full(len(fresh), -np.inf)]),
            upper=np.concatenate([family.upper, upper]),
            hidden=replace(self, sets=np.concatenate([self.sets, fresh])),
        )

    def less(self, use: Floats, kept: Mask | None = None) -> "Pots":
        """Take off what settled options spend, in USD; keep some of the rows that are laid out."""
        sets = self.sets if kept is None else self.sets[kept]
        return replace(self, spent=self.spent + _cents(use), sets=sets)

    def eased(self, given: Floats) -> "Pots":
        """Put so many more USD into each pot."""
        return replace(self, money=self.money + np.ceil(100 * given - 1e-4).astype(np.int64))

    def _poured(self, use: Floats, needs: Mask | None = None) -> tuple[Ints, Ints]:
        demand = _cents(use) + self.spent
        return poured(demand if needs is None else np.where(needs, demand, 0), self.money, self.may)

    def _short(self, sent: Ints, due: Ints) -> dict[bytes, Mask]:
        """Follow what is due upstream: from a need to its pots, from them to what else they pay, and on.

        All the money of the pots that are met goes to the needs that are met, and yet something is due.
        """
        unpaid = np.nonzero(due > 0)[0]
        unpaid = unpaid[np.argsort(self.may[unpaid].sum(axis=1), kind="stable")]
        found: dict[bytes, Mask] = {}
        for need in unpaid.tolist():
            pots = self._upstream(need, sent)
            found.setdefault(pots.tobytes(), pots)
            if len(found) == _AT_ONCE:
                break
        return found

    def _upstream(self, need: int, sent: Ints) -> Mask:
        pots, needs = self.may[need], np.zeros(len(self.may), bool)
        while True:
            more = (sent[:, pots] > 0).any(axis=1)
            if (more <= needs).all():
                return pots
            needs |= more
            pots = pots | self.may[more].any(axis=0)


def _cents(usd: Floats) -> Ints:
    return np.rint(100 * usd).astype(np.int64)


@numba.njit(cache=True, nogil=True)
def poured(demand: A, money: A, may: A) -> tuple[A, A]:  # noqa: C901, PLR0912 - one loop for the compiler
    """Let as much money flow from pots to needs as can (augmenting paths): cents by need and pot, cents due.

    Parameters
    ----------
    demand
        Cents of each need.
    money
        Cents in each pot.
    may
        Whether a pot may pay a need, shape ``(needs, pots)``.
    """
    needs, pots = may.shape
    sent, due, room = np.zeros((needs, pots), np.int64), demand.copy(), money.copy()
    for k in range(needs):
        for p in range(pots):
            if may[k, p] and due[k] > 0 and room[p] > 0:
                step = min(due[k], room[p])
                sent[k, p] += step
                due[k] -= step
                room[p] -= step
    asks, lends, queue = np.empty(pots, np.int64), np.empty(needs, np.int64), np.empty(needs, np.int64)
    while True:
        asks[:], lends[:] = -1, -2  # the need that asks a pot, the pot that a need gives back to; -1: its own
        size, at, end = 0, 0, -1
        for k in range(needs):
            if due[k] > 0:
                lends[k] = -1
                queue[size] = k
                size += 1
        while at < size and end < 0:
            k = queue[at]
            at += 1
            for p in range(pots):
                if may[k, p] and asks[p] < 0:
                    asks[p] = k
                    if room[p] > 0:
                        end = p
                        break
                    for other in range(needs):
                        if sent[other, p] > 0 and lends[other] == -2:
                            lends[other] = p
                            queue[size] = other
                            size += 1
        if end < 0:
            return sent, due
        step, p = room[end], end
        while lends[asks[p]] >= 0:
            k = asks[p]
            step = min(step, sent[k, lends[k]])
            p = lends[k]
        step = min(step, due[asks[p]])
        room[end] -= step
        p = end
        while lends[asks[p]] >= 0:
            k = asks[p]
            sent[k, p] += step
            sent[k, lends[k]] -= step
            p = lends[k]
        sent[asks[p], p] += step
        due[asks[p]] -= step
