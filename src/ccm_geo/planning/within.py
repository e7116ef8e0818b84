"""Plans among the options that fit every limit by themselves.

An option that costs more than a budget has is in no plan. Left among the others it would still be bought in
part where prices are looked for, and lend its worth to money that cannot buy it.
"""

from dataclasses import replace

import numpy as np

from .engine.solve import Solution, solve
from .model import Model
from .needed import beyond_amounts


def solve_within(model: Model, *, gap: float, seconds: float) -> Solution | None:
    """Find a plan as `solve` does, with prices that no option has set which is too large by itself.

    Returns
    -------
    Solution
        Its ``too_large`` names these options as well; its model, where rows came to light, allows them again.
    """
    large = beyond_amounts(model, np.arange(len(model.allowed))) & model.allowed
    if not large.any():
        return solve(model, gap=gap, seconds=seconds)
    found = solve(replace(model, allowed=model.allowed & ~large), gap=gap, seconds=seconds)
    if found is None:
        return None
    also = large if found.too_large is None else large | found.too_large
    laid = None if found.laid is None else replace(found.laid, allowed=model.allowed)
    return replace(found, too_large=also, laid=laid)
