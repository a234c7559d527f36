"""Inspection: which structure weights really have, found in arrays alone."""

from energysim.inspection.blocks import Blocks, Channels, find_blocks, find_channels
from energysim.inspection.evidence import CLAIM_BITS
from energysim.inspection.groups import Groups, find_groups
from energysim.inspection.layer import Layer, inspect_layer, support_of
from energysim.inspection.periodic import Periodic, Rule, find_period
from energysim.inspection.storage import Stored, kernel_of, rank_formats
from energysim.inspection.support import Support
from energysim.inspection.values import Repeats, Values, find_repeats, find_values

__all__ = [
    "CLAIM_BITS",
    "Blocks",
    "Channels",
    "Groups",
    "Layer",
    "Periodic",
    "Repeats",
    "Rule",
    "Stored",
    "Support",
    "Values",
    "find_blocks",
    "find_channels",
    "find_groups",
    "find_period",
    "find_repeats",
    "find_values",
    "inspect_layer",
    "kernel_of",
    "rank_formats",
    "support_of",
]
