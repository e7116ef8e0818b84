"""What whole blocks can do: a pool of choices, each with its benefit and what it uses of every row."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

import numpy as np
from scipy import sparse

from ccm_geo.planning.listing import Floats, Ints, Mask

from .arcs import Arcs
from .prices import Rows, losses_at, values_at, walk

_ROUNDS = 8, 40
_MOST_CHOICES = 20_000
MANY = 4_000  # blocks that stay open; of more, those whose next best choice falls short by least


@dataclass(frozen=True, kw_only=True)
class Choices:
    """Choices of the open blocks, those of a block together.

    The first of each is to do nothing, unless a hazard of the block must end with a mark.

    Parameters
    ----------
    first
        Where each open block's choices begin, shape ``(open + 1,)``.
    blocks
        The open blocks, ascending.
    benefit
        Of each choice, with the bonus of its block.
    use
        What each choice uses of each row, shape ``(choices, rows)``.
    arcs
        Arcs that each choice takes, shape ``(choices, arcs)``.
    spent
        What settled blocks use of each row.
    settled
        Arcs that settled blocks take.
    prints
        A number for each choice that tells choices of a block apart.
    born
        Place of each choice in the pool that this one was made from; -1 where it is new.
    """

    first: Ints
    blocks: Ints
    benefit: Floats
    use: sparse.csr_array
    arcs: sparse.csr_array = field(repr=False)
    spent: Floats
    settled: Mask = field(repr=False)
    prints: Ints = field(repr=False)
    born: Ints = field(repr=False)

    @property
    def owner(self) -> Ints:
        """Place of each choice's block among the open blocks."""
        return np.repeat(np.arange(len(self.blocks)), np.diff(self.first))

    @property
    def lacks(self) -> bool:
        """Whether an open block has no choice: it may not do nothing, and all else breaks a limit."""
        return not np.diff(self.first).all()

    def seeing(self, which: Mask) -> "Choices":
        """Look at some rows only."""
        return replace(self, use=sparse.csr_array(self.use[:, np.nonzero(which)[0]]), spent=self.spent[which])

    def taken(self, chosen: Ints) -> Mask:
        """Take one choice of each open block, and what settled blocks take."""
        out = self.settled.copy()
        out[self.arcs[chosen].indices] = True
        return out

    def highest(self, value: Floats) -> Ints:
        """Take of each open block the choice of highest value."""
        return np.lexsort((value, self.owner))[self.first[1:] - 1]

    def settle(self, which: Mask, chosen: Ints) -> "Choices":
        """Let some of the open blocks do what is chosen and count them as settled."""
        mine, rest = chosen[which], ~which[self.owner]
        settled = self.settled.copy()
        settled[self.arcs[mine].indices] = True
        return replace(
            self.some(rest),
            first=np.concatenate([[0], np.cumsum(np.diff(self.first)[~which])]),
            blocks=self.blocks[~which],
            spent=self.spent + np.asarray(self.use[mine].sum(axis=0)).ravel(),
            settled=settled,
        )

    def some(self, which: Mask) -> "Choices":
        """Keep some choices, of each open block at least one."""
        sizes = np.bincount(self.owner[which], minlength=len(self.blocks))
        return replace(
            self,
            first=np.concatenate([[0], np.cumsum(sizes)]),
            benefit=self.benefit[which],
            use=sparse.csr_array(self.use[which]),
            arcs=sparse.csr_array(self.arcs[which]),
            prints=self.prints[which],
            born=np.full(int(which.sum()), -1),
        )

    def losses(self, prices: Floats) -> Floats:
        """Say what each choice falls short of its block's best one at some prices."""
        value = self.benefit - self.use @ prices
        return np.asarray(value[self.highest(value)][self.owner] - value)

    def of_plan(self, arcs: Arcs, taken: Mask) -> Ints:
        """Find the choice that each open block makes in a plan; -1 where it is not in the pool."""
        prints = _prints(arcs, taken)[self.blocks]
        out = np.full(len(self.blocks), -1)
        same = np.nonzero(self.prints == prints[self.owner])[0]
        out[self.owner[same]] = same
        return out


def near_choices(
    arcs: Arcs,
    rows: Rows,
    prices: Floats,
    plans: Iterable[Mask],
    *,
    rounds: tuple[int, int] = _ROUNDS,
    open_: Mask | None = None,
    before: Choices | None = None,
) -> Choices:
    """Collect each block's best choices through its options of least loss, and what it does in some plans.

    Parameters
    ----------
    arcs, rows
        The model.
    prices
        At which choices are good.
    plans
        Arcs taken, by plan; settled blocks keep to the first one.
    rounds
        At least and at most so many rounds of choices, each through a block's next nearest option in turn.
    open_
        Blocks that are open; by default those of the smallest losses.
    before
        A pool to add to, with its open blocks; by default a new one.
    """
    value = values_at(arcs, rows, prices)
    keys, block = rows.pattern.shape[0], arcs.blocks.of[arcs.hazard]
    taken, _, _ = walk(arcs, value, keys)
    loss = losses_at(arcs, value)
    plans = [*plans]
    if before is not None:
        open_ = np.zeros(len(arcs.blocks.bonus), bool)
        open_[before.blocks] = True
    elif open_ is None:
        open_ = nearly_tied(block, taken, loss, len(arcs.blocks.bonus))
    blocks = len(open_)
    finite = loss[np.isfinite(loss)]
    typical = float(finite.mean()) if finite.any() else 1.0
    capped = np.minimum(loss, 1e9 * typical)
    order = np.argsort(block + capped / (capped + typical))  # by block, then loss; faster than two sorts
    rank = np.empty(len(loss), np.int64)
    begin = np.concatenate([[0], np.cumsum(np.bincount(block, minlength=blocks))])
    rank[order] = np.arange(len(loss)) - begin[block[order]]
    pull = 1.0 + 2.0 * np.bincount(block, weights=np.abs(value), minlength=blocks) + arcs.blocks.bonus[:, 0]
    found = [*plans, taken]
    many = int(np.clip(_MOST_CHOICES // max(open_.sum(), 1), *rounds))
    for turn in range(min(many, int(rank.max(initial=-1)) + 1)):
        forced = (rank == turn) & np.isfinite(loss) & open_[block]
        through, _, _ = walk(arcs, value + np.where(forced, pull[block], 0.0), keys)
        hit = np.bincount(block[forced & through], minlength=blocks) > 0
        found.append(through & hit[block])
    base = before.settled if before is not None else plans[0] if plans else taken
    return _pool(arcs, rows, found, open_, base, before)


def nearly_tied(owner: Ints, taken: Mask, loss: Floats, count: int) -> Mask:
    """Say which owners of arcs, of `count`, lose least by an arc they do not take; all, if not too many."""
    short = np.full(count, np.inf)
    np.minimum.at(short, owner, np.where(taken, np.inf, loss))
    out = np.ones(count, bool)
    if count > MANY:
        out = short <= np.partition(short, MANY)[MANY]
    return out


def more_choices(arcs: Arcs, rows: Rows, pool: Choices, plans: Iterable[Mask]) -> Choices:
    """Add what the open blocks do in further plans."""
    open_ = np.zeros(len(arcs.blocks.bonus), bool)
    open_[pool.blocks] = True
    return _pool(arcs, rows, [*plans], open_, pool.settled, pool)


def _prints(arcs: Arcs, taken: Mask) -> Ints:
    out = np.zeros(len(arcs.blocks.bonus), np.int64)
    which = np.nonzero(taken)[0]
    np.bitwise_xor.at(out, arcs.blocks.of[arcs.hazard[which]], arcs.noise[which])
    return out


def _pool(
    arcs: Arcs, rows: Rows, found: list[Mask], open_: Mask, base: Mask, before: Choices | None = None
) -> Choices:
    """Put choices that differ together, block by block."""
    block, blocks = arcs.blocks.of[arcs.hazard], np.nonzero(open_)[0]
    settled = base & ~open_[block]
    nothing = np.zeros(len(arcs.benefit), bool)
    parts = [_column(arcs, rows, t & open_[block], blocks) for t in ([] if before else [nothing]) + found]
    owner = np.concatenate([*([before.owner] if before else []), *(np.arange(len(blocks)) for _ in parts)])
    prints = np.concatenate([*([before.prints] if before else []), *(p[0] for p in parts)])
    benefit = np.concatenate([*([before.benefit] if before else []), *(p[1] for p in parts)])
    use = sparse.vstack([*([before.use] if before else []), *(p[2] for p in parts)], format="csr")
    arc = sparse.vstack([*([before.arcs] if before else []), *(p[3] for p in parts)], format="csr")
    bound = np.zeros(len(open_), bool)
    bound[arcs.blocks.of[arcs.must > 0]] = True
    owner = np.where((prints == 0) & bound[blocks][owner], -1, owner)
    owner = np.where(overfull(use, rows), -1, owner)
    _, unique = np.unique(np.column_stack([owner, prints]), axis=0, return_index=True)
    unique = unique[owner[unique] >= 0]
    keep = unique[np.lexsort((unique, owner[unique]))]
    spent = rows.use_of(arcs, settled)
    return Choices(
        first=np.concatenate([[0], np.cumsum(np.bincount(owner[keep], minlength=len(blocks)))]),
        blocks=blocks,
        benefit=benefit[keep],
        use=sparse.csr_array(use[keep]),
        arcs=sparse.csr_array(arc[keep]),
        spent=spent,
        settled=settled,
        prints=prints[keep],
        born=np.where(keep < (len(before.benefit) if before else 0), keep, -1),
    )


def overfull(use: sparse.csr_array, rows: Rows) -> Mask:
    """Say which choices break a limit by themselves; no plan takes them."""
    over = use.data > (rows.alone * (1 + 1e-9) + 1e-9)[use.indices]
    out = np.zeros(use.shape[0], bool)
    out[np.repeat(np.arange(use.shape[0]), np.diff(use.indptr))[over]] = True
    return out


def _column(
    arcs: Arcs, rows: Rows, taken: Mask, blocks: Ints
) -> tuple[Ints, Floats, sparse.csr_array, sparse.csr_array]:
    """Say what every open block does in one plan: print, benefit, use by row, arcs."""
    which = np.nonzero(taken)[0]
    at = np.searchsorted(blocks, arcs.blocks.of[arcs.hazard[which]])
    count = len(blocks)
    benefit = np.bincount(at, weights=arcs.benefit[which], minlength=count) + arcs.brought(taken)[blocks]
    keys = rows.pattern.shape[0]
    entries = (arcs.coefs[:, which].ravel(), (np.tile(at, len(arcs.keys)), arcs.keys[:, which].ravel()))
    by_key = sparse.csr_array(sparse.coo_array(entries, shape=(count, keys)))
    arc = sparse.csr_array(
        sparse.coo_array((np.ones(len(which), np.int8), (at, which)), shape=(count, len(taken)))
    )
    return _prints(arcs, taken)[blocks], benefit, sparse.csr_array(by_key @ rows.pattern), arc
