"""Show what is lost, and where, when next year brings 40 % less money."""

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

money = {2027: 600_000, 2028: 450_000, 2029: 450_000}
promised = ccm.prioritize(options, [ccm.Budget(money)])
cut = ccm.prioritize(options, [ccm.Budget({**money, 2027: 0.6 * money[2027]})])

lost = promised.benefit - cut.benefit
print(f"Promised: {promised.benefit:.2f} accidents averted for {promised.cost_usd:,.0f} USD.")
print(f"40 % less in 2027: {cut.benefit:.2f} averted, so {lost:.2f} more accidents must be expected.")

by_district = [plan.table.groupby("adm2", observed=True)["benefit"].sum() for plan in (promised, cut)]
change = by_district[1].sub(by_district[0], fill_value=0).sort_values()
print("Accidents averted, change by district:")
print(change.round(2).to_string())

dropped = promised.reasons["chosen"] & ~cut.reasons["chosen"]
print(f"Areas that fall out of the plan: {dropped.sum()}")

facts["after_the_cut"] = facts["hazard_id"].map(dropped).eq(True).map({True: "falls out", False: ""})
chart = ccm.map_plan(
    facts,
    cut,
    title="Upper Talva with 40 % less money in 2027 (invented data)",
    admin=ccm.read_admin(data / "districts.gpkg"),
    roads=ccm.read_roads(data / "roads.gpkg"),
    details=["after_the_cut"],
)
chart.save("out/budget_cut.html")
print("The map is out/budget_cut.html")
