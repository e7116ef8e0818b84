"""Say what to do in the first year either way, when the largest donor may leave with six weeks' notice."""

import sys
from pathlib import Path

import ccm_geo as ccm

data = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parents[1] / "sample_data"

hazards = ccm.read_hazards(
    data / "hazards.gpkg",
    rename={"Type": "hazard_class", "Device": "ordnance", "District": "adm2", "HA_Name": "name"},
    values={
        "hazard_class": {"S": "SHA", "C": "CHA"},
        "status": {"ACT": "open", "CLS": "closed", "HO": "handed_over"},
        "evidence": {"D": "direct", "I": "indirect"},
        "ordnance": {"CMR": "cluster", "APM": "ap_mine", "UXO": "uxo", "CMR;UXO": "cluster;uxo"},
    },
)
people = ccm.read_population(data / "population.tif")
accidents = ccm.read_accidents(data / "accidents.csv")
facts = hazards.assign(
    people_near=ccm.people_near(hazards, people),
    accidents_near=ccm.accidents_near(hazards, accidents),
)
harm = ccm.expected_harm(facts, years=range(2027, 2030), accidents=accidents)
options = ccm.list_options(facts, ccm.ACTIVITIES, harm)

promised = ccm.Budget({2027: 100_000, 2028: 900_000, 2029: 900_000})
leaves = ccm.DonorLeaves(0.95, told_on="2028-01-15", notice_weeks=6)  # it pays 95 % of the money
funding = ccm.Funding.around(promised, {"the largest donor leaves": (0.4, leaves)}, known_from=2028)
left = funding.money("the largest donor leaves")[0].amount
print(f"It would pay until {leaves.last_day}: {left[2028]:,.0f} USD in 2028, then {left[2029]:,.0f} a year.")

survey_first = ccm.After({"activity": ["nts", "ts"]}, {"activity": ["clearance", "bac"]}, within="hazard_id")
plan = ccm.plan_under(options, funding, [survey_first], gap=1e-3, seconds=6)
print(plan)

either_way = plan.first.groupby("hazard_id", observed=True)["activity"].agg(", ".join)
naive = set(plan.naive_first["hazard_id"])
more = len(set(either_way.index) - naive)
print(f"Areas worked on in 2027 that a plan for the promise alone leaves for later: {more}")

facts["first_year_either_way"] = facts["hazard_id"].map(either_way).astype("object").fillna("")
chart = ccm.map_plan(
    facts,
    plan.plans["as promised"],
    title="What to do in 2027, whether the donor leaves or not (invented data)",
    admin=ccm.read_admin(data / "districts.gpkg"),
    roads=ccm.read_roads(data / "roads.gpkg"),
    details=["first_year_either_way"],
)
chart.save("out/donor_leaves.html")
print("The map is out/donor_leaves.html")
