"""How long it takes to get somewhere, and what hazards on the roads make of it."""

from .graph import RoadGraph, road_graph
from .times import OFFROAD_KMH, OFFROAD_MAX_M, minutes_between, travel_time

__all__ = ["OFFROAD_KMH", "OFFROAD_MAX_M", "RoadGraph", "minutes_between", "road_graph", "travel_time"]
