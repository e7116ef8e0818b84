"""Plan five years with many rules at once: money, teams, fair shares, promises, order, a deadline."""

import sys
from pathlib import Path

import geopandas as gpd

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
meters = hazards.estimate_utm_crs()
villages = gpd.read_file(data / "settlements.gpkg", columns=["name"]).rename(columns={"name": "community"})
nearest = facts.to_crs(meters).sjoin_nearest(villages.to_crs(meters), max_distance=3_000)["community"]
facts["community"] = nearest[~nearest.index.duplicated()]

harm = ccm.expected_harm(facts, years=range(2027, 2032), accidents=accidents)
options = ccm.list_options(facts, ccm.ACTIVITIES, harm, keep=["community"])
money = {2027: 600_000, 2028: 450_000, 2029: 450_000, 2030: 400_000, 2031: 400_000}
clear = ["clearance", "bac"]
under_way = ["MR-07-0063", "MR-07-0103"]
rules = [
    ccm.Budget(money, carry_over=True),
    ccm.Capacity(12, by="adm2", where={"activity": ["ts", *clear]}, season=8, name="Teams"),
    ccm.Share("adm2", at_least=0.1),
    ccm.After({"activity": ["nts", "ts"]}, {"activity": clear}, within="hazard_id", name="Survey"),
    ccm.Complete("community", bonus=0.05),  # in accidents averted: what its last area released is worth
    ccm.Deadline(2031, share=0.45),
    ccm.LockIn(under_way, activity="ts", year=2027),
    ccm.Finish(under_way, by=2028),
]
plan = ccm.prioritize(options, rules, gap=0.015, seconds=4)
print(plan)
print(ccm.rule_costs(plan, seconds=2))

chart = ccm.map_plan(
    facts,
    plan,
    title="Upper Talva 2027-2031, eight rules at once (invented data)",
    admin=ccm.read_admin(data / "districts.gpkg"),
    roads=ccm.read_roads(data / "roads.gpkg"),
    details=["community"],
)
chart.save("out/five_years.html")
ccm.write_report(plan, facts, "out/five_years.xlsx", harm=harm, sources=[people, accidents])
print("The map is out/five_years.html, the workbook out/five_years.xlsx")
