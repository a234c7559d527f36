"""Loop nests, tilings, traffic and the search for the best mapping."""

from energysim.mapping.bounds import products_by_taps, traffic_bound_bits
from energysim.mapping.larger import LargerChoice, is_larger, search_larger
from energysim.mapping.nest import DIMENSIONS, Fetches, Tiling, fetches
from energysim.mapping.room import Room, footprint
from energysim.mapping.rules import PRESETS, RULE_VALUES, Rules, enlarged, parse_rules
from energysim.mapping.schedules import PartTiling, Schedule, Steps, Sweep, moved_by, taken_by
from energysim.mapping.search import BLOCK, Choice, Goal, search

__all__ = [
    "BLOCK",
    "DIMENSIONS",
    "PRESETS",
    "RULE_VALUES",
    "Choice",
    "Fetches",
    "Goal",
    "LargerChoice",
    "PartTiling",
    "Room",
    "Rules",
    "Schedule",
    "Steps",
    "Sweep",
    "Tiling",
    "enlarged",
    "fetches",
    "footprint",
    "is_larger",
    "moved_by",
    "parse_rules",
    "products_by_taps",
    "search",
    "search_larger",
    "taken_by",
    "traffic_bound_bits",
]
