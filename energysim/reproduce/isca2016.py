"""The split of energy of Eyeriss, ISCA 2016, Fig. 10: Chen, Emer, Sze, row stationary, batch 16."""

from __future__ import annotations

from fractions import Fraction

from energysim.reproduce.layers import best, hierarchy, layer, network
from energysim.reproduce.tables import Result, Table
from energysim.setting import read_setting

__all__ = ["isca2016"]

_LAYERS = {
    "CONV1": "features.conv1",
    "CONV2": "features.conv2",
    "CONV3": "features.conv3",
    "CONV5": "features.conv5",
    "FC1": "classifier.fc6",
    "FC2": "classifier.fc7",
    "FC3": "classifier.fc8",
}
_LEVELS = {"ALU": "mac", "DRAM": "dram", "RF": "rf"}
_NOTES = (
    "network: AlexNet with groups, 227 pixels, batch 16; hardware: eyeriss-isca2016; ours: the mapping of "
    "least energy under row-stationary loops, proven best; the mappings behind the figure are not published",
    "RF of the figure is 4 accesses per MAC exactly; ours adds the words written to the registers",
    "the figure's own buffer and array energies could not be read",
)


def isca2016() -> Table:
    """Compute the table."""
    graph, setting = network("alexnet_grouped", 16), read_setting(hierarchy("eyeriss-isca2016"))
    results = []
    for name, node in _LAYERS.items():
        cost = best(layer(graph, node), setting)
        for key, level in _LEVELS.items():
            energy = sum(row.energy_aj for row in cost.accesses if row.level == level)
            # a MAC is 1 pJ in name: 10^9 of them are 10^15 aJ
            results.append(Result(f"EY-ISCA16-{name}-{key}", Fraction(energy, 10**15)))
    return Table(
        "eyeriss-isca2016", "Eyeriss array, AlexNet, normalised energy (ISCA 2016)", _NOTES, tuple(results)
    )
