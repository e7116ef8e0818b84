"""Show what a fair share for every district costs in harm, and which plans are nearly as good."""

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

money = ccm.Budget({2027: 600_000, 2028: 450_000, 2029: 450_000})
free = ccm.prioritize(options, [money], seconds=5)
plans = {"no floors": free}
for floor in (0.05, 0.10):
    rules = [money, ccm.Share("adm2", at_least=floor)]
    plans[f"{floor:.0%} each"] = ccm.prioritize(options, rules, seconds=5)
print(ccm.compare(plans, by="adm2"))

fair = plans["10% each"]
print(ccm.rule_costs(fair))

others = ccm.alternatives(fair, k=3, differ_by=0.15, within=0.05, seconds=10)
print(others)

where = dict.fromkeys(others.core, "in all") | dict.fromkeys(others.choice, "free to choose")
facts["in_the_plans"] = facts["hazard_id"].map(where).fillna("")
chart = ccm.map_plan(
    facts,
    fair,
    title="Upper Talva: a tenth of the money for every district (invented data)",
    admin=ccm.read_admin(data / "districts.gpkg"),
    roads=ccm.read_roads(data / "roads.gpkg"),
    details=["in_the_plans"],
)
chart.save("out/fair_shares.html")
print("The map is out/fair_shares.html")
