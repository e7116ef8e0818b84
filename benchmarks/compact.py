"""Time patches of neighbors on grids, beside HiGHS on the linearized model in the same run.

python benchmarks/compact.py --runs 3
python benchmarks/compact.py --sides 100 --runs 3 --highs 120
"""

import argparse
import statistics
import time

import numpy as np
from scipy import sparse

from ccm_geo.planning.engine import matrix
from ccm_geo.planning.engine.patches import best_compact


def grid(side):
    """Pairs of a square grid with four neighbors."""
    k = np.arange(side * side).reshape(side, side)
    across = np.column_stack([k[:, :-1].ravel(), k[:, 1:].ravel()])
    return np.concatenate([across, np.column_stack([k[:-1].ravel(), k[1:].ravel()])])


def invented(side, kind, seed):
    """Random benefit and cost; worth of pairs, or a saving on boundary (every side of a cell costs 0.1)."""
    rng = np.random.default_rng(seed)
    pairs = grid(side)
    benefit, cost = rng.random(side * side), rng.random(side * side) + 0.5
    if kind == "boundary":
        return benefit - 4 * 0.1, cost, pairs, np.full(len(pairs), 0.2)
    return benefit, cost, pairs, rng.random(len(pairs))


def linearized(benefit, cost, pairs, worth, budget):
    """The same as a matrix: one column per pair, at most each of its cells."""
    count, many = len(benefit), len(pairs)
    row = np.tile(np.arange(many), 2)
    below = [
        sparse.csr_array(
            (np.repeat([1.0, -1.0], many), (row, np.concatenate([count + row[:many], pairs[:, end]]))),
            shape=(many, count + many),
        )
        for end in (0, 1)
    ]
    money = sparse.csr_array(np.concatenate([cost, np.zeros(many)])[None])
    binary = np.arange(count + many) < count
    return matrix.Matrix(
        benefit=np.concatenate([benefit, worth]),
        rows=sparse.csr_array(sparse.vstack([money, *below])),
        lower=np.full(1 + 2 * many, -np.inf),
        upper=np.concatenate([[budget], np.zeros(2 * many)]),
        binary=binary,
        coupling=1,
        scale=np.ones(1),
        positive=~binary,
    )


def main():
    """Print medians."""
    ask = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ask.add_argument("--sides", type=int, nargs="+", default=[100, 316])
    ask.add_argument("--runs", type=int, default=3, help="each on another random grid")
    ask.add_argument("--gap", type=float, default=1e-4)
    ask.add_argument("--highs", type=float, default=0, help="seconds for HiGHS on the same grids; 0 for none")
    a = ask.parse_args()
    best_compact(*invented(20, "worth", 0), 100.0, gap=0.5)  # compiled code is loaded before the clock runs
    for side in a.sides:
        for kind in ("worth", "boundary"):
            for share in (0.2, 0.5):
                seconds, gaps, theirs = [], [], []
                for seed in range(a.runs):
                    parts = invented(side, kind, seed)
                    budget = share * parts[1].sum()
                    begin = time.perf_counter()
                    patch = best_compact(*parts, budget, gap=a.gap)
                    seconds.append(time.perf_counter() - begin)
                    gaps.append(patch.gap)
                    if a.highs:
                        theirs.append(beside(parts, budget, a, patch))
                middle = statistics.median(seconds)
                worst = f"(worst {max(seconds):.2f} s, {max(gaps):.5%})"
                line = f"{side} x {side}, {kind}, budget {share:.0%}: {middle:.2f} s"
                print(f"{line}, gap {statistics.median(gaps):.5%} {worst}", flush=True)
                if theirs:
                    other = statistics.median(t for t, _ in theirs)
                    print(
                        f"    HiGHS {other:.1f} s ({other / middle:.0f} times), {theirs[-1][1]}", flush=True
                    )


def beside(parts, budget, a, patch):
    """Solve the linearized model with HiGHS (own presolve and heuristics, one thread, tolerances of 1e-9)."""
    made = linearized(*parts, budget)
    begin = time.perf_counter()
    solver = matrix._loaded(made, 1e4, relaxed=False)  # noqa: SLF001 - the same matrix, without our settings
    solver.setOptionValue("time_limit", a.highs)
    solver.setOptionValue("mip_rel_gap", a.gap)
    solver.run()
    seconds = time.perf_counter() - begin
    values = np.asarray(solver.getSolution().col_value)
    taken = values[made.binary] > 0.5
    benefit, _, pairs, worth = parts
    value = benefit[taken].sum() + worth[taken[pairs].all(axis=1)].sum()
    bound = -solver.getInfo().mip_dual_bound / 1e4
    left = (bound - value) / bound if np.isfinite(bound) else np.nan
    return seconds, f"gap {left:.5%}, plan {value / patch.benefit - 1:+.5%} to ours"


if __name__ == "__main__":
    main()
