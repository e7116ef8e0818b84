"""Show who is cut off from the hospital by open areas on the roads, and what releasing them would bring."""

import sys
from pathlib import Path

import folium

import ccm_geo as ccm

data = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parents[1] / "sample_data"

kind, clazz = {"Hospital": "hospital"}, {"S": "SHA", "C": "CHA"}
status = {"ACT": "open", "CLS": "closed", "HO": "handed_over"}
hazards = ccm.read_hazards(
    data / "hazards.gpkg",
    rename={"Type": "hazard_class", "District": "adm2", "HA_Name": "name", "Evidence": "found"},
    values={"hazard_class": clazz, "status": status},
)
villages = ccm.read_population(data / "settlements.gpkg")
facilities = ccm.read_facilities(data / "facilities.xlsx", rename={"Type": "kind"}, values={"kind": kind})
roads = ccm.read_roads(data / "roads.gpkg")

cut = ccm.cut_roads(hazards, roads)
trips = ccm.trips_to(villages, facilities, cut, kind="hospital", offroad_max_m=2_000)
off = ccm.detour(trips)["state"].eq("cut off")
people = villages["people"]
print(f"{cut.stretches()['km'].sum():.1f} km of road run through open areas.")
print(f"{off.sum()} of {len(off)} villages are cut off from the hospital: {people[off].sum():,.0f} people.")

facts = hazards.join(cut.by_hazard()).join(ccm.release_gain(trips))
print("What releasing one area alone would bring:")
shown = ["hazard_id", "adm2", "road_km_cut", "people_reconnected", "person_min_saved"]
print(facts.nlargest(5, "people_reconnected")[shown].round(2).to_string(index=False))

first = []
for step in range(1, 6):
    gain = ccm.release_gain(trips, released=first)["people_reconnected"]
    first.append(hazards["hazard_id"][gain.idxmax()])
    print(f"Step {step}: releasing {first[-1]} brings {gain.max():,.0f} people back to the hospital.")
together = ccm.joint_gain(trips, first)["people_reconnected"]
print(f"All {len(first)} together: {together:,.0f} people; gains of single areas do not add up.")

title = "Upper Talva: black villages are cut off from the hospital; release by number (invented data)"
on_road = facts[facts["road_km_cut"] > 0]
chart = ccm.map_scores(
    on_road, ccm.score(on_road, ccm.RISK), title=title, roads=roads, places=villages, details=shown[2:]
)
black, blue = {"color": "#000000", "fill": True, "fill_opacity": 1}, {"color": "#0868ac", "weight": 2}
for spot, alone in zip(villages.geometry, off, strict=True):
    folium.CircleMarker((spot.y, spot.x), radius=3, **(black if alone else blue)).add_to(chart)
for number, name in enumerate(first, 1):
    spot = hazards.geometry[hazards["hazard_id"] == name].iloc[0].representative_point()
    sign = f'<b style="font: bold 20px sans-serif; background: gold; padding: 1px 7px">{number}</b>'
    folium.Marker((spot.y, spot.x), icon=folium.DivIcon(html=sign)).add_to(chart)
chart.save("out/cut_off.html")
print("The map is out/cut_off.html")
