"""CPU time of the search on a deep hierarchy: four memories and two axes, layers of all kinds.

    python benchmarks/deep_hierarchy.py [--open] [--objectives energy,dram,delay,edp]

Prints for each layer the CPU seconds of its search and whether the mapping is proven, else the gap; and the
gap of the energy among mappings with as little DRAM traffic or delay. With
``--open`` any tensor may bypass any memory on the chip (343 choices). The aim: two seconds a layer.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

from energysim.cost import COST_MODELS, OBJECTIVES
from energysim.hardware import load_hardware
from energysim.kernels import DenseKernel
from energysim.setting import read_setting
from energysim.windows import Axis
from energysim.workload import LoopNest, MacWorkload, Operand

SPEC = """\
schema: energysim-hardware/1
name: deep
cost_model: hierarchy
clock: 1 GHz
bits: {weights: 8, activations: 8, accumulators: 32}
levels:
  - {name: dram, word_bits: 64, read: E512, write: E512, bandwidth: 16 B/cycle}
  - {name: l2, capacity: 1 MiB, word_bits: 64, read: E30, write: E30KEEP}
  - {name: l1, capacity: 64 KiB, word_bits: 64, read: E10, write: E10KEEP}
  - {name: rf, capacity: 512 B, word_bits: 16, read: E0.2, write: E0.2KEEP}
axes:
  - {name: X, below: l2, size: 16}
  - {name: Y, below: l1, size: 16}
mac: {8: E0.2}
vector_op: E0.2
zeros:
  weights: {stored_compressed: false, compute: none}
  activations: {stored_compressed: false, compute: none}
"""


def spec(every_bypass: bool) -> str:
    """The specification; energies are of no hardware."""
    text = SPEC.replace("KEEP", "" if every_bypass else ", keep: [weights, inputs, outputs]")
    for value in ("512", "30", "10", "0.2"):
        text = text.replace(f"E{value}", f"{{value: {value} pJ, kind: assumed, note: for timing}}")
    return text


def conv(filters: int, channels: int, size: int, window: int, stride: int = 1, groups: int = 1) -> LoopNest:
    """A square convolution; filters and channels are those of a group."""
    axis = Axis(size, size * stride, window, stride, 1, window // 2)
    kernel = DenseKernel((groups * filters, channels, window, window))
    return LoopNest(1, groups, filters, channels, axis, axis, kernel)


def product(rows: int, channels: int, filters: int, groups: int = 1) -> LoopNest:
    """A matrix product."""
    kernel = DenseKernel((groups * filters, channels, 1, 1))
    return LoopNest(1, groups, filters, channels, Axis(rows, rows), Axis(1, 1), kernel)


LAYERS = {
    "VGG16 conv1_2": conv(64, 64, 224, 3),
    "VGG16 conv3_2": conv(256, 256, 56, 3),
    "ResNet18 stem": conv(64, 3, 112, 7, 2),
    "ViT-B/16 MLP, 197 tokens": product(197, 768, 3072),
    "ViT-B/16 MLP, 196 tokens": product(196, 768, 3072),
    "ViT-B/16 attention, 12 heads": product(197, 64, 197, 12),
    "depthwise 3x3, 32 x 112^2": conv(1, 1, 112, 3, 1, 32),
    "depthwise 3x3 /2, 144 x 56^2": conv(1, 1, 56, 3, 2, 144),
    "1x1 /2, 256 to 512": conv(512, 256, 28, 1, 2),
    "linear, 25088 to 4096": product(1, 25088, 4096),
}


def workload(nest: LoopNest) -> MacWorkload:
    """The layer with its tensors."""
    inputs = (nest.batch, nest.groups * nest.channels, nest.rows.inputs, nest.cols.inputs)
    outputs = (nest.batch, nest.groups * nest.filters, nest.rows.outputs, nest.cols.outputs)
    return MacWorkload(nest, Operand(inputs), Operand(outputs))


def main() -> None:
    """Measure and print a line per objective and layer."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--open", action="store_true", help="any tensor may bypass any memory on the chip")
    parser.add_argument("--objectives", default=",".join(OBJECTIVES))
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "deep.yaml"
        path.write_text(spec(options.open))
        hardware = load_hardware(path)
    for objective in options.objectives.split(","):
        setting = read_setting(hardware, objective)
        for name, nest in LAYERS.items():
            start = time.process_time()
            (cost,) = COST_MODELS.get("hierarchy")().evaluate((workload(nest),), setting)
            spent = time.process_time() - start
            energy = f" (energy: gap {float(cost.gap):.1%})" if cost.gap else ""
            found = f"proven{energy}" if cost.optimal else f"gap {float(cost.gap):.1%}"
            print(
                f"{objective:7} {name:30} {spent:5.2f} s CPU, {found} of {cost.mappings:.2g} mappings",
                flush=True,
            )


if __name__ == "__main__":
    main()
