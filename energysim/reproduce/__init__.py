"""Published numbers against ours, side by side with the error, one table per source."""

from energysim.reproduce.facts import Fact, read_facts
from energysim.reproduce.sources import reproduce, source_names
from energysim.reproduce.tables import Comparison, Result, Table, compared
from energysim.reproduce.text import render

__all__ = [
    "Comparison",
    "Fact",
    "Result",
    "Table",
    "compared",
    "read_facts",
    "render",
    "reproduce",
    "source_names",
]
