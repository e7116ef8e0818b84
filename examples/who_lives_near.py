"""Tell who lives near the areas: in bands of distance, by district, and by the year that reaches them."""

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
hazards = hazards[hazards["status"] == "open"]
people = ccm.read_population(data / "population.tif")
accidents = ccm.read_accidents(data / "accidents.csv")

bands = ccm.people_near(hazards, people, within_m=(0, 100, 500, 1_000))  # one pass over the raster
once = ccm.people_reached(hazards, people, within_m=(0, 100, 500, 1_000))
print(f"{once.sum():,.0f} people live within 1 km of {len(hazards)} open areas, each counted once:")
for band, count in once.items():
    print(f"  {band:18} {count:8,.0f}   (area by area, added up: {bands[band].sum():,.0f})")

by_district = ccm.people_reached(hazards, people, by="adm2", within_m=500)
print("Within 500 m, by the district of the areas:")
print(by_district.sort_values(ascending=False).map("{:,.0f}".format).to_string())

facts = hazards.assign(
    people_near=bands.sum(axis=1, min_count=1),
    accidents_near=ccm.accidents_near(hazards, accidents),
)
facts = facts.join(bands)
harm = ccm.expected_harm(facts, years=range(2027, 2030), accidents=accidents)
options = ccm.list_options(facts, ccm.ACTIVITIES, harm)
plan = ccm.prioritize(options, [ccm.Budget({2027: 300_000, 2028: 300_000, 2029: 300_000})])

year = hazards["hazard_id"].map(plan.reasons["first_year"])
reached = ccm.people_first_reached(hazards, people, by=year, within_m=500)
print("Within 500 m of areas that the plan works on, by the first year that reaches them:")
for when, count in reached.items():
    print(f"  {when:.0f} {count:8,.0f}")
print(f"  in all {reached.sum():,.0f} people of {once.iloc[:3].sum():,.0f}.")

chart = ccm.map_scores(
    facts,
    ccm.score(facts, ccm.RISK),
    title="Upper Talva: who lives near (invented data)",
    admin=ccm.read_admin(data / "districts.gpkg"),
    population=people,
    details=list(bands),
)
chart.save("out/who_lives_near.html")
print("The map is out/who_lives_near.html")
