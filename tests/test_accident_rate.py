import numpy as np
import pytest
from scipy.optimize import minimize

from ccm_geo._accident_rate import country_rate


def _rate(residents, accidents, *, areas=1.0, shape=1.0, prior_rate=2e-4, weight=1.0):
    residents, accidents = np.array(residents, float), np.array(accidents, float)
    areas = np.broadcast_to(np.array(areas, float), residents.shape)
    return country_rate(residents, areas, accidents, shape=shape, prior_rate=prior_rate, weight=weight)


def _world(seed, rows=30):
    rng = np.random.default_rng(seed)
    residents = np.where(rng.random(rows) < 0.4, 0, rng.lognormal(4, 2, rows))
    accidents = rng.poisson(rng.gamma(1, 1, rows) * (0.2 + 5e-4 * residents)) * rng.choice([0.5, 1], rows)
    return residents, accidents, rng.choice([0.05, 0.9], rows) * 10


def _expected(rate, residents, areas):
    return areas * (rate.passing + rate.resident * np.asarray(residents, float))


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("shape", [0.3, 1.0, 5.0])
def test_rates_have_the_greatest_likelihood_that_a_blind_search_finds(seed, shape):
    residents, accidents, areas = _world(seed)
    rate = _rate(residents, accidents, areas=areas, shape=shape)

    def loss(logs):
        passing, resident = np.exp(logs)
        mean = areas * (passing + resident * residents)
        fits = accidents @ np.log(mean) - (shape + accidents) @ np.log(shape + mean)
        most = accidents.sum() / areas.sum()
        return -(fits + 0.5 * (logs[0] - passing / most) + logs[1] - resident / 2e-4)

    options = {"xatol": 1e-9, "fatol": 1e-12, "maxiter": 4_000}
    starts = [(-8, -8), (-1, -12), (-12, -4), (0, -6)]
    found = min(
        (minimize(loss, s, method="Nelder-Mead", options=options) for s in starts), key=lambda r: r.fun
    )
    assert [rate.passing, rate.resident] == pytest.approx(np.exp(found.x).tolist(), rel=1e-4)


def test_where_nobody_lives_the_record_is_brought_forth_by_those_who_pass():
    # three alike, two accidents each in 5 area-years: 2 / 5 is the mean of the prior and of the record
    rate = _rate([0, 0, 0], [2, 2, 2], areas=5.0)
    assert rate.passing == pytest.approx(2 / 5)
    assert rate.resident == pytest.approx(2e-4)  # nothing was learned of residents


def test_without_accidents_nothing_tells_of_those_who_pass():
    rate = _rate([0, 1_000], [0, 0])
    assert rate.passing == rate.passers == 0
    # 1 - rate / 2e-4 - m / (1 + m) = 0 with m = 1000 rate: the prior's rate less what was not seen
    m = 1_000 * rate.resident
    assert m / (1 + m) == pytest.approx(1 - rate.resident / 2e-4)


def test_one_hazard_with_accidents_and_one_without_worked_by_hand():
    # 1000 residents and three accidents, nobody and none: the slopes over both logarithms are 0
    rate = _rate([1_000, 0], [3, 0])
    a, lived = rate.passing, 1_000 * rate.resident
    pull = (3 - a - lived) / (a + lived) / (1 + a + lived)
    assert a * pull - a / (1 + a) + 0.5 * (1 - a / 1.5) == pytest.approx(0, abs=1e-9)
    assert lived * pull + 1 - lived / 0.2 == pytest.approx(0, abs=1e-9)
    assert (a, lived) == pytest.approx((1.307, 0.217), abs=1e-3)


@pytest.mark.parametrize("seed", range(5))
def test_pooled_accidents_add_up_to_those_seen_and_the_weight_of_the_priors(seed):
    residents, accidents, areas = _world(seed)
    rate = _rate(residents, accidents, areas=areas)
    mean = _expected(rate, residents, areas)
    pooled = (1 + accidents) * mean / (1 + mean)
    priors = 1 - rate.resident / 2e-4 + 0.5 * (1 - rate.passing * areas.sum() / accidents.sum())
    assert pooled.sum() == pytest.approx(accidents.sum() + priors, rel=1e-9)


def test_twice_the_people_have_half_the_rate_each():
    residents, accidents, areas = _world(3)
    once = _rate(residents, accidents, areas=areas)
    twice = _rate(2 * residents, accidents, areas=areas, prior_rate=1e-4)
    assert twice.passing == pytest.approx(once.passing)
    assert twice.resident == pytest.approx(once.resident / 2)
    assert twice.passers == pytest.approx(2 * once.passers)


def test_twice_the_years_have_half_the_rates():
    residents, accidents, areas = _world(4)
    once = _rate(residents, accidents, areas=areas)
    twice = _rate(residents, accidents, areas=2 * areas, prior_rate=1e-4)
    assert [twice.passing, twice.resident] == pytest.approx([once.passing / 2, once.resident / 2])
    assert twice.doubt == pytest.approx(once.doubt)


@pytest.mark.parametrize("passers", [0, 60, 3_000])
def test_known_truth_is_found_again_within_its_doubt(passers):
    rng = np.random.default_rng(7)
    residents = np.where(rng.random(5_000) < 0.4, 0, rng.lognormal(4.5, 1.5, 5_000))
    mean = residents + passers
    resident = 600 / mean.sum()
    rate = _rate(residents, rng.poisson(rng.gamma(1, 1, 5_000) * resident * mean))
    doubt = np.sqrt(np.diag(rate.doubt))
    assert abs(np.log(rate.resident / resident)) < 3 * doubt[1]
    assert rate.passing < 0.005 if passers == 0 else abs(np.log(rate.passers / passers)) < 3 * doubt.sum()


def test_doubt_falls_with_the_record():
    few = _rate([0, 100, 1_000], [0, 1, 1])
    many = _rate([0, 100, 1_000] * 100, [0, 1, 1] * 100)
    people = np.array([0.0, 50.0, 5_000.0])
    assert (many.log_var(people) < few.log_var(people) / 10).all()


def test_doubt_of_one_source_alone_is_that_source_s():
    rate = _rate([0, 100, 1_000], [1, 1, 3])
    assert rate.log_var(np.array([0.0]))[0] == pytest.approx(rate.doubt[0, 0])
    assert rate.log_var(np.array([1e12]))[0] == pytest.approx(rate.doubt[1, 1], rel=1e-6)


def test_country_without_hazards_keeps_the_prior():
    rate = _rate([], [])
    assert (rate.passing, rate.resident) == (0, 2e-4)
    assert rate.log_var(np.array([0.0, 10.0])).tolist() == [1, 1]  # one accident's worth
