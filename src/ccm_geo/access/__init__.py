"""How long it takes to get somewhere, and what hazards on the roads make of it."""

from .cuts import CutRoads, cut_roads, routes_cut
from .detours import Trips, detour, joint_gain, release_gain, trips_between, trips_to
from .graph import RoadGraph, road_graph
from .times import OFFROAD_KMH, OFFROAD_MAX_M, minutes_between, travel_time

__all__ = [
    "OFFROAD_KMH",
    "OFFROAD_MAX_M",
    "CutRoads",
    "RoadGraph",
    "Trips",
    "cut_roads",
    "detour",
    "joint_gain",
    "minutes_between",
    "release_gain",
    "road_graph",
    "routes_cut",
    "travel_time",
    "trips_between",
    "trips_to",
]
