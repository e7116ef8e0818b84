"""Tell a village why its area is not in the plan, what would bring it in, and what the plan would lose."""

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

facts = hazards.assign(people_near=ccm.people_near(hazards, people))
harm = ccm.expected_harm(facts, years=range(2027, 2030), accidents=accidents)
options = ccm.list_options(facts, ccm.ACTIVITIES, harm)
money = ccm.Budget({2027: 200_000, 2028: 150_000, 2029: 150_000})
plan = ccm.prioritize(options, [money], seconds=5)

reasons = plan.reasons
out = reasons.index[~reasons["chosen"] & (reasons["price_gap"] > 0)]  # not those that are on the edge
left_out = facts.set_index("hazard_id")["people_near"].reindex(out).idxmax()  # of those out, most people
print(plan.why(left_out))

with_it = ccm.prioritize(options, [money, ccm.LockIn(left_out)], seconds=5)
both = ccm.compare({"as planned": plan, "with it": with_it}, by="adm2")
print(both)
print(both.hazards.loc[[left_out]].T.to_string())

curve = ccm.priority_curve(options, [money], shares=[0.5, 1, 2, 4, 8], seconds=6)
print(curve)
print(f"{left_out} comes in with {curve.first_in(left_out):,.0f} USD, as the amounts above go.")

stakes = ccm.importance(plan)
print(stakes)
print(stakes.of(left_out))

facts["what_the_plan_loses"] = facts["hazard_id"].map(stakes.table["loss"].round(3))
chart = ccm.map_plan(
    facts,
    plan,
    title="Why not my village? Upper Talva 2027-2029 (invented data)",
    admin=ccm.read_admin(data / "districts.gpkg"),
    roads=ccm.read_roads(data / "roads.gpkg"),
    details=["what_the_plan_loses"],
)
chart.save("out/why_not_my_village.html")
print("The map is out/why_not_my_village.html")
