"""Throughput of VGG-16 on an FPGA: Ma, Cao, Vrudhula, Seo, IEEE TVLSI 26(7) 2018."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

from energysim.cost.hierarchy import evaluate_mapping
from energysim.hardware import load_hardware
from energysim.mapping.hierarchy.mapping import Mapping
from energysim.reproduce.layers import layer, network
from energysim.reproduce.tables import Result, Table
from energysim.setting import read_setting

__all__ = ["ma2018"]

_HARDWARE = Path(__file__).parent / "data" / "ma2018.yaml"
_FROM_MEMORY = "unrolling and clock are from memory, not read"
_NOTES = (
    "network: VGG-16 convolutions, batch 1; ours: an array of 14 x 14 pixels x 16 filters at 200 MHz that "
    "never waits; the published figure is end to end, with pooling, linear layers and waits for DRAM",
    "neither the unrolling nor the clock could be read anywhere, so nothing is scored",
)


def ma2018() -> Table:
    """Compute the table."""
    graph, setting = network("vgg16", 1), read_setting(load_hardware(_HARDWARE), "delay")
    macs = cycles = 0
    for node in graph.nodes:
        if node.name.startswith("features.conv"):
            work = layer(graph, node.name)
            nest = work.nest
            rows, cols = nest.rows.outputs, nest.cols.outputs
            mapping = Mapping.of(
                {
                    "dram": f"M{nest.filters // 16} P{rows // 14} Q{cols // 14} C{nest.channels} R3 S3",
                    "columns": "Q14",
                    "rows": "P14",
                    "filters": "M16",
                }
            )
            cost = evaluate_mapping(work, setting, mapping)
            macs += cost.macs
            cycles += cost.cycles
    milliseconds = Fraction(cycles, 200_000)  # 200 MHz
    operations = Fraction(2 * macs, 10**6)  # a multiply-add is two; 10^6 per ms is 10^9 per s
    results = (
        Result("MA-VGG-Arria10", operations / milliseconds, unscored=_FROM_MEMORY),
        Result("MA-VGG-Arria10-lat", milliseconds, unscored=_FROM_MEMORY),
    )
    return Table("ma2018", "Ma et al., VGG-16 on an Arria 10 (TVLSI 2018)", _NOTES, results)
