"""Loop nests, tilings, traffic and the search for the best mapping."""

from energysim.mapping.nest import DIMENSIONS, Fetches, Tiling, fetches
from energysim.mapping.rules import PRESETS, RULE_VALUES, Rules, parse_rules
from energysim.mapping.search import BLOCK, Choice, Goal, Linear, Room, search

__all__ = [
    "BLOCK",
    "DIMENSIONS",
    "PRESETS",
    "RULE_VALUES",
    "Choice",
    "Fetches",
    "Goal",
    "Linear",
    "Room",
    "Rules",
    "Tiling",
    "fetches",
    "parse_rules",
    "search",
]
