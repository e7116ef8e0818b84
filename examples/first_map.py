"""Show where it matters most: areas by risk, on a map that opens without internet."""

import sys
from pathlib import Path

import ccm_geo as ccm

data = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parents[1] / "sample_data"

hazards = ccm.read_hazards(
    data / "hazards.gpkg",
    rename={"HA_ID": "hazard_id", "HA_Name": "name", "Type": "hazard_class", "Device": "ordnance"},
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
    people_near=ccm.people_near(hazards, people, within_m=1_000),
    accidents_near=ccm.accidents_near(hazards, accidents, within_m=1_000),
)
risk = ccm.score(facts, ccm.RISK)

first = facts.loc[risk["rank"].idxmin(), "hazard_id"]
print(f"{len(facts)} areas; {ccm.people_reached(facts, people):,.0f} people live within 1 km of them.")
print(risk["class"].value_counts().to_string())
print(f"First of all: {ccm.explain(facts, ccm.RISK, first)}")
for note in ccm.notes_of(hazards, accidents):
    print(f"  {note.table}, {note.kind}: {note.text}" + f" ({note.affected})" * (note.affected > 0))

chart = ccm.map_scores(
    facts,
    risk,
    title="Upper Talva: where it matters most (invented data)",
    admin=ccm.read_admin(data / "districts.gpkg"),
    roads=ccm.read_roads(data / "roads.gpkg"),
    places=ccm.read_population(data / "settlements.gpkg"),
    population=people,
    sources=[people, accidents],
)
chart.save("out/first_map.html")
print("The map is out/first_map.html")
