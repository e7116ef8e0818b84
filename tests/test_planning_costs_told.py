"""What rules cost is told with its units, and never as nothing where a limit has a price."""

import pandas as pd

from ccm_geo.planning import After, Budget, Capacity, prioritize, rule_costs

STEPS = {"nts": ("suspected", "confirmed", 0.0), "clearance": ("confirmed", "released", 1.0)}


def fields(count):
    rows = [
        {
            "option_id": f"F{i} {activity}",
            "hazard_id": f"F{i}",
            "activity": activity,
            "year": 2027,
            "state_now": "suspected",
            "state_from": begin,
            "state_to": end,
            "cost_usd": 100.0 + 10 * (i % 7),
            "team_months": 1.0,
            "benefit": averts * (1.0 + (i * 37 % 101) / 50),
            "adm1": "north",
        }
        for i in range(count)
        for activity, (begin, end, averts) in STEPS.items()
    ]
    return pd.DataFrame(rows)


def test_a_limit_with_a_price_does_not_cost_nothing():
    survey = After({"activity": "nts"}, {"activity": "clearance"}, within="hazard_id")
    plan = prioritize(fields(60), [Budget(5_000.0), Capacity(70.0), survey], gap=0.01)
    assert (plan.use.loc[plan.use["rule"] == "Budget", "price"] > 0).all()
    lost = rule_costs(plan).table.set_index("rule")["lost"]
    assert lost["Budget"] > 0.1


def test_steps_of_limits_have_units():
    plan = prioritize(fields(60), [Capacity({"north": 40.0}, name="Teams")], gap=0.01)
    told = str(rule_costs(plan))
    assert "Teams north 2027: 1 team-month more would bring about " in told
    assert told.splitlines()[-1].endswith(" accidents averted")
