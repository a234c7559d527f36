"""VGG-16 on the Eyeriss chip, totals: Table VI of Chen, Krishna, Emer, Sze, JSSC 52(1) 2017."""

from __future__ import annotations

from fractions import Fraction

from energysim.reproduce.layers import (
    best,
    buffer_megabytes,
    hierarchy,
    layer,
    megabytes,
    network,
    with_densities,
)
from energysim.reproduce.tables import Result, Table
from energysim.setting import read_setting

__all__ = ["eyeriss_vgg16"]

_BATCH = 3  # conditions of Table VI
#: Zeros among the inputs of a layer (Table VI, via FODLAM).
_ZEROS = {
    "conv1_1": "0.016", "conv1_2": "0.477", "conv2_1": "0.248", "conv2_2": "0.387", "conv3_1": "0.397",
    "conv3_2": "0.581", "conv3_3": "0.587", "conv4_1": "0.643", "conv4_2": "0.747", "conv4_3": "0.854",
    "conv5_1": "0.794", "conv5_2": "0.874", "conv5_3": "0.885",
}  # fmt: skip
_NO_MAPPING = "the chip's mappings are not published in a form that could be read"
_NOTES = (
    "network: VGG-16 convolutions, batch 3; hardware: eyeriss-jssc2017; ours: the mapping of least "
    "energy of every layer, even tiles; so DRAM and buffer are not the chip's, and are not scored",
    "zeros of inputs from Table VI; outputs have the zeros of the next layer's inputs; those that are pooled "
    "before, and the last, are taken as stored raw (assumed: their zeros are not published)",
)


def eyeriss_vgg16() -> Table:
    """Compute the table."""
    graph, setting = network("vgg16", _BATCH), read_setting(hierarchy("eyeriss-jssc2017"))
    macs = 0
    dram = buffer = Fraction(0)
    names = list(_ZEROS)
    for name, following in zip(names, [*names[1:], ""], strict=True):
        same_block = name.split("_")[0] == following.split("_")[0]
        outputs = 1 - Fraction(_ZEROS[following]) if same_block else Fraction(1)
        work = with_densities(layer(graph, f"features.{name}"), 1 - Fraction(_ZEROS[name]), outputs)
        cost = best(work, setting)
        macs += cost.macs
        dram += megabytes(cost, "dram")
        buffer += buffer_megabytes(cost)
    results = (
        Result("EY1-VGG-total-macs", Fraction(macs, 10**9)),
        Result("EY1-VGG-total-dram", dram, unscored=_NO_MAPPING),
        Result("EY1-VGG-total-glb", buffer, unscored=_NO_MAPPING),
    )
    return Table("eyeriss-vgg16", "Eyeriss chip, VGG-16 (JSSC 2017, Table VI)", _NOTES, results)
