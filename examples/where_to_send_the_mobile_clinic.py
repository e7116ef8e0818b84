"""Show who lives more than an hour from a hospital, and the four best places for a mobile clinic to stop."""

import sys
from pathlib import Path

import ccm_geo as ccm
from ccm_geo.access import cut_roads

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
kinds = {"Hospital": "hospital", "Health Center": "clinic", "Health Post": "clinic"}
facilities = ccm.read_facilities(data / "facilities.xlsx", rename={"Type": "kind"}, values={"kind": kinds})
villages = ccm.read_population(data / "settlements.gpkg")
roads = ccm.read_roads(data / "roads.gpkg")
cut = cut_roads(hazards, roads)  # closed where it runs through an open hazard

reach = ccm.service_reach(villages, facilities, cut, kinds="hospital", limits_min=[60])
print("People by the way to a hospital of an hour, with all roads open and with what hazards cut of them:")
print(reach[["roads", "within", "beyond", "cut_off"]].to_string(index=False, float_format="{:,.0f}".format))

hospitals = facilities[facilities["kind"] == "hospital"]
towns = villages[villages["people"] >= 1_000]
best = ccm.site_outreach(villages, towns, cut, within_min=60, sites=4, existing=hospitals, name="name")
print(best)

chart = ccm.map_outreach(
    best,
    title="Upper Talva: four stops for the mobile clinic (invented data)",
    admin=ccm.read_admin(data / "districts.gpkg"),
    roads=roads,
    hazards=hazards[hazards["status"] == "open"],
    existing=hospitals,
)
chart.save("out/where_to_send_the_mobile_clinic.html")
print("The map is out/where_to_send_the_mobile_clinic.html")
