"""Worth that neighbors bring together: cuts, prices and patches against every subset and against HiGHS."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from ccm_geo import DataError
from ccm_geo.planning.engine import matrix
from ccm_geo.planning.engine.cuts import Cuts, Field, one_price
from ccm_geo.planning.engine.patches import best_compact, best_compact_rows

NO_PAIRS = np.zeros((0, 2), int)


def grid(side):
    """Pairs of a square grid with four neighbors."""
    k = np.arange(side * side).reshape(side, side)
    across = np.column_stack([k[:, :-1].ravel(), k[:, 1:].ravel()])
    return np.concatenate([across, np.column_stack([k[:-1].ravel(), k[1:].ravel()])])


def every_subset(count):
    return np.array(list(itertools.product([0, 1], repeat=count)), dtype=float)


def best_by_brute_force(benefit, pairs, worth, rows, fixed=None):
    """Benefit of the best of all subsets that keep the rows; -inf where none does."""
    x = every_subset(len(benefit))
    keep = np.ones(len(x), bool)
    for coefs, lower, upper in rows:
        use = x @ np.asarray(coefs, float)
        keep &= (use >= lower - 1e-9) & (use <= upper + 1e-9)
    if fixed is not None:
        held = np.asarray(fixed) >= 0
        keep &= (x[:, held] == np.asarray(fixed)[held]).all(axis=1)
    value = x @ np.asarray(benefit, float)
    for (i, j), w in zip(pairs, worth, strict=True):
        value += w * x[:, i] * x[:, j]
    return value[keep].max(initial=-np.inf)


def world(seed, count=9, edges=14):
    rng = np.random.default_rng(seed)
    every = np.array(list(itertools.combinations(range(count), 2)))
    pairs = every[rng.choice(len(every), min(edges, len(every)), replace=False)]
    return (
        rng.normal(0.5, 1, count).round(2),
        rng.integers(1, 9, count),
        pairs,
        rng.random(len(pairs)).round(2),
    )


@pytest.mark.parametrize("seed", range(12))
def test_one_budget_equals_brute_force(seed):
    benefit, cost, pairs, worth = world(seed)
    budget = [3, 12, 25, 40][seed % 4]
    best = best_by_brute_force(benefit, pairs, worth, [(cost, -np.inf, budget)])
    patch = best_compact(benefit, cost, pairs, worth, budget, gap=0)
    assert patch.benefit == pytest.approx(best)
    assert patch.bound >= best - 1e-12
    assert cost[patch.taken].sum() <= budget


@pytest.mark.parametrize("seed", range(12))
def test_several_rows_equal_brute_force(seed):
    benefit, cost, pairs, worth = world(seed, count=10 + seed % 5, edges=20)
    rng = np.random.default_rng(100 + seed)
    half = rng.random(len(cost)) < 0.5
    rows = [
        (cost, -np.inf, 25),
        (np.where(half, cost, 0), 6, np.inf),
        (rng.integers(0, 4, len(cost)), -np.inf, 9),
        (np.where(half, 1.0, -1.0) * cost, -15, 15),
    ]
    best = best_by_brute_force(benefit, pairs, worth, rows)
    patch = best_compact_rows(benefit, pairs, worth, rows, gap=0)
    if np.isinf(best):
        assert patch is None
        return
    assert patch.benefit == pytest.approx(best)
    assert patch.bound >= best - 1e-12


@given(
    cells=st.lists(st.tuples(st.integers(-5, 9), st.integers(0, 6)), min_size=1, max_size=8),
    pairs=st.lists(st.tuples(st.integers(0, 7), st.integers(0, 7), st.integers(0, 5)), max_size=12),
    budget=st.integers(0, 20),
    held=st.lists(st.sampled_from([-1, -1, -1, 0, 1]), min_size=8, max_size=8),
)
@settings(max_examples=40, deadline=None, derandomize=True)
def test_random_whole_numbers_equal_brute_force(cells, pairs, budget, held):
    benefit, cost = (np.array(v, float) for v in zip(*cells, strict=True))
    ends = [(i, j, w) for i, j, w in pairs if i != j and max(i, j) < len(cells)]
    pairs, worth = [e[:2] for e in ends], [e[2] for e in ends]
    fixed = held[: len(cells)]
    best = best_by_brute_force(benefit, pairs, worth, [(cost, -np.inf, budget)], fixed)
    patch = best_compact(
        benefit, cost, np.array(pairs, int).reshape(-1, 2), worth, budget, fixed=fixed, gap=0
    )
    if np.isinf(best):
        assert patch is None
        return
    assert patch.benefit == pytest.approx(best)
    assert patch.bound >= best - 1e-9


@pytest.mark.parametrize("seed", range(6))
def test_bound_holds_at_any_price_and_with_any_flow(seed):
    benefit, cost, pairs, worth = world(seed)
    rows = [(cost, -np.inf, 15.0), (np.ones(len(cost)), 2.0, np.inf)]
    best = best_by_brute_force(benefit, pairs, worth, rows)
    cuts = Cuts(Field.of(benefit, pairs, worth, rows))
    rng = np.random.default_rng(seed)
    nothing = np.zeros(len(cost), bool)
    for _ in range(20):
        prices = np.array([rng.exponential(), -rng.exponential()])
        assert cuts.priced(prices, nothing, nothing).bound >= best
        cuts.ask(np.asarray(cuts.field.rows.T @ prices), cuts.free)
        assert cuts.priced(prices, nothing, nothing).bound >= best
        cuts.room = rng.normal(0, 3, len(cuts.room))  # not a flow at all: clipped, it still bounds
        assert cuts.priced(prices, nothing, nothing).bound >= best
        cuts.room = cuts.half.copy()
        cuts.base = cuts.reduced()


@pytest.mark.parametrize("seed", range(8))
def test_a_cut_finds_the_best_patch_at_a_price(seed):
    benefit, cost, pairs, worth = world(seed)
    cuts = Cuts(Field.of(benefit, pairs, worth, [(cost, -np.inf, 15.0)]))
    for price in (0.4, 0.05, 0.2, 0.0):
        least, most = cuts.ask(price * cost, cuts.free)
        best = best_by_brute_force(benefit - price * cost, pairs, worth, [])
        for patch in (least, most):
            assert cuts.field.value(patch) - price * cost[patch].sum() == pytest.approx(best)
        assert (most | ~least).all()
        found = cuts.priced(np.array([price]), least, most)
        assert found.bound == pytest.approx(best + 15 * price)


def test_best_patches_grow_as_the_price_falls():
    rng = np.random.default_rng(3)
    pairs = grid(15)
    cost = rng.random(225) + 0.5
    cuts = Cuts(Field.of(rng.random(225), pairs, rng.random(len(pairs)), [(cost, -np.inf, 50.0)]))
    before = np.zeros(225, bool)
    sizes = []
    for price in (2.5, 2.0, 1.6, 1.3, 1.0, 0.5, 0.0):
        least, most = cuts.ask(price * cost, cuts.free)
        assert (least | ~before).all()
        before = most
        sizes.append(int(most.sum()))
    assert sizes == sorted(sizes)
    assert 0 < sizes[2] < 225


def test_the_price_lies_between_patches_below_and_above_the_budget():
    rng = np.random.default_rng(4)
    pairs, cost = grid(20), rng.random(400) + 0.5
    cells = Field.of(rng.random(400), pairs, rng.random(len(pairs)), [(cost, -np.inf, 100.0)])
    found = one_price(Cuts(cells))
    assert cost[found.least].sum() <= 100 < cost[found.most].sum()
    assert (found.most | ~found.least).all()
    for patch in (found.least, found.most):  # both lie on the bound
        short = found.bound - cells.value(patch) - found.prices[0] * (100 - cost[patch].sum())
        assert abs(short) < 1e-9


def highs(benefit, pairs, worth, rows):
    """Solve the linearized model with HiGHS alone."""
    count, many = len(benefit), len(pairs)
    columns = np.arange(many)
    below = [
        sparse.coo_array(
            (
                np.repeat([1.0, -1.0], many),
                (np.tile(columns, 2), np.concatenate([count + columns, pairs[:, side]])),
            ),
            shape=(many, count + many),
        )
        for side in (0, 1)
    ]
    coupling = np.hstack([np.array([r[0] for r in rows], float), np.zeros((len(rows), many))])
    binary = np.arange(count + many) < count
    made = matrix.Matrix(
        benefit=np.concatenate([benefit, worth]),
        rows=sparse.csr_array(sparse.vstack([sparse.csr_array(coupling), *below])),
        lower=np.concatenate([[r[1] for r in rows], np.full(2 * many, -np.inf)]),
        upper=np.concatenate([[r[2] for r in rows], np.zeros(2 * many)]),
        binary=binary,
        coupling=len(rows),
        scale=np.ones(len(rows)),
        positive=~binary,
    )
    found = matrix.optimize(made, gap=0.0, seconds=20.0)
    taken = found.taken
    return benefit[taken].sum() + worth[taken[pairs].all(axis=1)].sum()


@pytest.mark.parametrize("share", [0.2, 0.5])
@pytest.mark.parametrize("boundary", [False, True], ids=["worth", "boundary length"])
def test_small_grids_agree_with_highs_on_the_linearized_model(share, boundary):
    rng = np.random.default_rng(7)
    pairs, cost = grid(6), (rng.random(36) + 0.5).round(2)
    benefit, worth = rng.random(36), rng.random(60)
    if boundary:
        benefit, worth = benefit - 4 * 0.1, np.full(60, 0.2)
    rows = [(cost, -np.inf, share * cost.sum())]
    patch = best_compact(benefit, cost, pairs, worth, share * cost.sum(), gap=0)
    exact = highs(benefit, pairs, worth, rows)
    assert patch.benefit == pytest.approx(exact, rel=1e-8)
    assert patch.bound >= exact * (1 - 1e-9)


def test_small_grid_with_floors_agrees_with_highs():
    rng = np.random.default_rng(8)
    pairs, cost, benefit, worth = grid(6), rng.random(36) + 0.5, rng.random(36), rng.random(60) / 2
    south = np.arange(36) < 18
    rows = [(cost, -np.inf, 0.4 * cost.sum()), (cost * (south - 0.3), 0.0, np.inf)]
    patch = best_compact_rows(benefit, pairs, worth, rows, gap=0)
    assert patch.benefit == pytest.approx(highs(benefit, pairs, worth, rows), rel=1e-8)


@pytest.mark.parametrize("side", [40, 60])
def test_grids_come_within_a_ten_thousandth_of_the_bound(side):
    rng = np.random.default_rng(side)
    pairs, cost = grid(side), rng.random(side * side) + 0.5
    budget = 0.5 * cost.sum()
    patch = best_compact(rng.random(side * side), cost, pairs, rng.random(len(pairs)), budget)
    assert patch.gap <= 1e-4
    assert cost[patch.taken].sum() <= budget


def test_cells_that_are_fixed_stay_as_they_are():
    benefit, cost, pairs, worth = world(2)
    fixed = np.full(len(cost), -1)
    fixed[[0, 4]], fixed[[1, 5]] = 1, 0
    patch = best_compact(benefit, cost, pairs, worth, 22, fixed=fixed, gap=0)
    assert patch.taken[[0, 4]].all()
    assert not patch.taken[[1, 5]].any()
    best = best_by_brute_force(benefit, pairs, worth, [(cost, -np.inf, 22)], fixed)
    assert patch.benefit == pytest.approx(best)
    assert best_compact(benefit, cost, pairs, worth, 22, fixed=patch.taken, gap=0).benefit == patch.benefit


def test_cells_that_must_be_taken_beyond_the_budget_have_no_patch():
    assert best_compact([1.0, 1.0], [3.0, 3.0], NO_PAIRS, [], 5, fixed=[1, 1]) is None


def test_zero_worth_is_a_knapsack():
    rng = np.random.default_rng(5)
    benefit, cost = rng.integers(1, 50, 60), rng.integers(1, 30, 60)
    pairs = rng.permutation(60).reshape(-1, 2)
    patch = best_compact(benefit, cost, pairs, np.zeros(30), 200, gap=0)
    table = np.zeros(201)
    for b, c in zip(benefit, cost, strict=True):
        table[c:] = np.maximum(table[c:], table[:-c] + b)
    assert patch.benefit == table[200]


def test_two_neighbors_beat_the_two_best_cells():
    patch = best_compact([3.0, 2.0, 2.5], [1, 1, 1], [[0, 1]], [1.0], 2, gap=0)
    assert patch.taken.tolist() == [True, True, False]
    assert patch.benefit == 6.0
    apart = best_compact([3.0, 2.0, 2.5], [1, 1, 1], [[0, 1]], [0.4], 2, gap=0)
    assert apart.taken.tolist() == [True, False, True]


def test_without_rows_one_cut_is_the_answer():
    benefit, _, pairs, worth = world(3)
    patch = best_compact_rows(benefit, pairs, worth, [], gap=0)
    assert patch.benefit == pytest.approx(best_by_brute_force(benefit, pairs, worth, []))
    assert patch.cuts == 1


def test_pairs_given_twice_add_up():
    once = best_compact([3.0, 2.0, 2.5], [1, 1, 1], [[0, 1]], [1.0], 2, gap=0)
    twice = best_compact([3.0, 2.0, 2.5], [1, 1, 1], [[0, 1], [1, 0]], [0.7, 0.3], 2, gap=0)
    assert twice.benefit == pytest.approx(once.benefit)


def test_order_of_cells_and_rows_does_not_matter():
    benefit, cost, pairs, worth = world(6, count=12, edges=20)
    rows = [(cost, -np.inf, 25), (np.arange(12) < 6, 2, 4)]
    order = np.random.default_rng(0).permutation(12)
    place = np.argsort(order)
    turned = [(np.asarray(r[0])[order], *r[1:]) for r in rows[::-1]]
    a = best_compact_rows(benefit, pairs, worth, rows, gap=0)
    b = best_compact_rows(benefit[order], place[pairs][::-1, ::-1], worth[::-1], turned, gap=0)
    assert a.benefit == pytest.approx(b.benefit)


@pytest.mark.parametrize(("times", "money"), [(1e-6, 1.0), (1e6, 1.0), (1.0, 1e-5), (1.0, 1e7)])
def test_scaling_benefit_or_money_changes_nothing(times, money):
    rng = np.random.default_rng(9)
    pairs, cost = grid(12), rng.random(144) + 0.5
    benefit, worth, budget = rng.random(144), rng.random(len(pairs)), 0.3 * 144
    rows = [(cost, -np.inf, budget)]
    plain = one_price(Cuts(Field.of(benefit, pairs, worth, rows)))
    rows = [(money * cost, -np.inf, money * budget)]
    scaled = one_price(Cuts(Field.of(times * benefit, pairs, times * worth, rows)))
    assert scaled.bound / times == pytest.approx(plain.bound, rel=1e-9)
    assert scaled.prices * money / times == pytest.approx(plain.prices, rel=1e-9)
    assert (scaled.least == plain.least).all()
    patch = best_compact(times * benefit, money * cost, pairs, times * worth, money * budget, gap=0.005)
    assert patch.gap <= 0.005


def test_more_money_never_lowers_what_is_proven():
    rng = np.random.default_rng(10)
    pairs, cost = grid(10), rng.random(100) + 0.5
    benefit, worth = rng.random(100), rng.random(len(pairs))
    bounds = [
        one_price(Cuts(Field.of(benefit, pairs, worth, [(cost, -np.inf, m)]))).bound for m in (5, 20, 21, 60)
    ]
    assert bounds == sorted(bounds)


def test_without_money_nothing_is_taken_and_with_enough_everything():
    benefit, cost, pairs, worth = world(1)
    benefit = np.abs(benefit) + 0.1
    none, whole = (best_compact(benefit, cost, pairs, worth, m, gap=0) for m in (0, cost.sum()))
    assert not none.taken.any()
    assert none.benefit == 0
    assert whole.taken.all()
    assert whole.prices.tolist() == [0.0]


def test_what_is_free_of_charge_and_useful_is_always_taken():
    patch = best_compact([1.0, 2.0, 3.0], [0, 0, 5], [[0, 2]], [1.0], 0, gap=0)
    assert patch.taken.tolist() == [True, True, False]


def test_inputs_stay_as_they_are():
    benefit, cost, pairs, worth = world(0)
    before = [v.copy() for v in (benefit, cost, pairs, worth)]
    best_compact(benefit, cost, pairs, worth, 10)
    assert all((a == b).all() for a, b in zip(before, (benefit, cost, pairs, worth), strict=True))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"worth": [-1.0]}, "cannot be negative"),
        ({"pairs": [[1, 1]]}, "its own neighbor"),
        ({"pairs": [[0, 7]]}, "cells 0 to 1"),
        ({"benefit": [1.0, np.nan]}, "finite"),
        ({"cost": [1.0]}, "one number for each of 2 cells"),
    ],
)
def test_bad_input_is_named(change, said):
    given = {
        "benefit": [1.0, 2.0],
        "cost": [1.0, 1.0],
        "pairs": [[0, 1]],
        "worth": [1.0],
        "budget": 1,
        **change,
    }
    with pytest.raises(DataError, match=said):
        best_compact(**given)
