"""A baseline: numbers, what they were made from, and how to make them anew."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from energysim.regression.counts import Table
from energysim.regression.recipe import Recipe

__all__ = ["Baseline", "Inputs"]

#: Section (network, hardware, constants, settings, rules, schemes, weights, files) -> key -> text.
Inputs = Mapping[str, Mapping[str, str]]


@dataclass(frozen=True)
class Baseline:
    """Numbers of one network on one piece of hardware, or the unit costs of the hardware alone.

    Attributes
    ----------
    inputs : mapping of str to mapping of str to str
        What the numbers were made from: names, settings, constants, digests.
    table : dict
        Scheme -> layer -> column -> whole number; energies in attojoules.
    recipe : Recipe or None
        How to make it anew; None if it was made from a report.
    engine : mapping of str to str
        Digests of the engine's source, part by part; empty if not taken.
    made_with : str
        Version of energysim.
    """

    inputs: Inputs
    table: Table
    recipe: Recipe | None = None
    engine: Mapping[str, str] = field(default_factory=dict)
    made_with: str = ""

    @property
    def network(self) -> str:
        """The network's name; empty for unit costs."""
        return self.inputs.get("network", {}).get("name", "")

    @property
    def hardware(self) -> str:
        """The hardware's name."""
        return self.inputs.get("hardware", {}).get("name", "")

    @property
    def title(self) -> str:
        """What it is of, in words."""
        return f"{self.network} on {self.hardware}" if self.network else f"unit costs of {self.hardware}"
