"""How often accidents happen in a country: among people who live near hazards, and among those who pass."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize

Array = npt.NDArray[np.float64]

# Accidents that a prior weighs which knows nothing of a Poisson rate (Jeffreys, Proc. R. Soc. A 186, 1946)
_KNOWS_NOTHING = 0.5
_NEXT_TO_NOTHING = 1e-200  # has a logarithm


class CountryRate(NamedTuple):
    """Reported accidents a year and contaminated area, by what they come from, and how sure that is."""

    passing: float  # whoever lives there
    resident: float  # for each resident, weighed by contact
    doubt: Array  # covariance of the logarithms of both, shape (2, 2)

    @property
    def passers(self) -> float:
        """People who pass by a hazard, as so many residents."""
        return self.passing / self.resident

    def log_var(self, residents: Array) -> Array:
        """Give the variance of the logarithm of ``passing + resident * residents``."""
        parts = np.stack([np.full(len(residents), self.passing), self.resident * residents])
        whole = parts.sum(axis=0)
        shares = np.divide(parts, whole, out=np.stack([0 * whole, 0 * whole + 1]), where=whole > 0)
        return np.asarray(np.einsum("ai,ab,bi->i", shares, self.doubt, shares))


def country_rate(
    residents: Array, areas: Array, accidents: Array, *, shape: float, prior_rate: float, weight: float
) -> CountryRate:
    """Estimate both rates of a country by the greatest likelihood.

    Parameters
    ----------
    residents
        People who live near each hazard, weighed by contact; known and from 0.
    areas
        Chance of contamination of each hazard times the years of observation.
    accidents
        Accidents near each hazard; may be fractions.
    shape
        Shape of the Gamma law by which hazards differ.
    prior_rate, weight
        The rate for each resident where nothing is known, and how many accidents outweigh it.

    Notes
    -----
    Accidents follow a negative binomial law with mean ``areas * (passing + resident * residents)`` and this
    shape. The priors are Gamma laws: for `resident` of mean `prior_rate` and of `weight` accidents, for
    `passing` of the mean at which it explains every accident, and of half an accident. Their greatest value
    is sought over the logarithms, in which it is the mean where a rate stands alone. Without any accident
    nothing tells of those who pass, and `passing` is 0.
    """
    parts = np.stack([areas, areas * residents])
    weights = np.array([_KNOWS_NOTHING, weight])
    some = accidents > 0
    everything = accidents.sum() / areas.sum() if some.any() else _NEXT_TO_NOTHING
    before = np.array([everything, prior_rate])

    def terms(step: Array) -> tuple[Array, Array, Array]:
        each = (before * np.exp(step))[:, None] * parts
        mean = each.sum(axis=0)
        pull = (shape + accidents) / (shape + mean) - accidents / mean
        return each, mean, pull

    def loss(step: Array) -> float:
        mean = (before * np.exp(step)) @ parts
        seen = accidents[some] @ np.log(mean[some])
        return float((shape + accidents) @ np.log1p(mean / shape) - seen + weights @ (np.expm1(step) - step))

    def slope(step: Array) -> Array:
        each, _, pull = terms(step)
        return np.asarray(each @ pull + weights * np.expm1(step))

    def bend(step: Array) -> Array:
        each, mean, pull = terms(step)
        curve = accidents / mean / mean - (shape + accidents) / (shape + mean) ** 2
        return np.asarray((each * curve) @ each.T + np.diag(each @ pull + weights * np.exp(step)))

    near = 1e-6 * float(1 + accidents.sum())
    found = minimize(loss, np.zeros(2), jac=slope, hess=bend, method="trust-exact", options={"gtol": near}).x
    found -= np.linalg.solve(bend(found), slope(found))  # to the last digit, whatever the order of rows
    each, mean, _ = terms(found)
    known = (each * (shape / (mean * (shape + mean)))) @ each.T + np.diag(weights * np.exp(found))
    passing, resident = before * np.exp(found)
    doubt = np.asarray(np.linalg.inv(known), dtype=np.float64)
    return CountryRate(float(passing) if some.any() else 0.0, float(resident), doubt)
