"""Show which areas become more urgent when people come home."""

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
districts = ccm.read_admin(data / "districts.gpkg")
roads = ccm.read_roads(data / "roads.gpkg")
moves = ccm.read_displacement(data / "displacement.csv", admin=districts)

today = hazards.assign(people_near=ccm.people_near(hazards, people))
facts = today.assign(arrivals=ccm.arrivals_near(hazards, moves, people, roads=roads))

before, after = (
    ccm.expected_harm(table, years=[2027], accidents=accidents).set_axis(hazards.index)["harm"]
    for table in (today, facts)
)
facts["more_accidents"] = after - before
facts["places_gained"] = before.rank(ascending=False) - after.rank(ascending=False)

print(f"{moves['people'].sum():,.0f} people are displaced; some of them come home within 12 months.")
print(f"Accidents to expect in 2027: {before.sum():.2f} without them, {after.sum():.2f} with them.")
print("The areas that rise most:")
shown = ["hazard_id", "adm2", "people_near", "arrivals", "more_accidents", "places_gained"]
print(facts.nlargest(10, "more_accidents")[shown].round(3).to_string(index=False))

chart = ccm.map_scores(
    facts,
    ccm.score(facts, ccm.DISPLACEMENT),
    title="Upper Talva: where people come home (invented data)",
    admin=districts,
    roads=roads,
    population=people,
    sources=[people, moves, accidents],
    details=["arrivals", "more_accidents", "places_gained"],
)
chart.save("out/homecoming.html")
print("The map is out/homecoming.html")
