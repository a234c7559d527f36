"""DRAM traffic of a matrix product on a GPU, as measured for Orojenesis, ISCA 2024, Fig. 24a."""

from __future__ import annotations

from fractions import Fraction

from energysim.kernels import DenseKernel
from energysim.reproduce.layers import best, hierarchy, resized
from energysim.reproduce.tables import Result, Table
from energysim.setting import read_setting
from energysim.windows import Axis
from energysim.workload import LoopNest, MacWorkload, Operand

__all__ = ["gpu_gemm"]

_SIZE = 4096
_CACHES = (2, 40, 50)  # MiB
_NOTES = (
    "hardware: gpu-l2 with the L2 of the row; ours: the fewest DRAM bits of any mapping with even tiles, the "
    "whole L2 used as a scratchpad. The tiles of the measured kernels are not published and a cache with "
    "replacement keeps less, so ours has to be lower: the error is what the kernels leave",
    "product of 4096 x 4096 matrices of 32 bit, reads and writes together",
)


def gpu_gemm() -> Table:
    """Compute the table."""
    one = Axis(1, 1, 1, 1, 1, 0)
    nest = LoopNest(_SIZE, 1, _SIZE, _SIZE, one, one, DenseKernel((_SIZE, _SIZE, 1, 1)))
    work = MacWorkload(nest, Operand((_SIZE, _SIZE)), Operand((_SIZE, _SIZE)))
    hardware = hierarchy("gpu-l2")
    results = []
    for size in _CACHES:
        setting = read_setting(resized(hardware, l2=size * 2**23), "dram")
        bits = sum(row.bits for row in best(work, setting).accesses if row.level == "dram")
        results += [
            Result(f"ORO-GA100-{size}MB-{kernel}", Fraction(bits, 2**23)) for kernel in ("SIMT", "tensor")
        ]
    return Table("gpu-gemm", "Matrix product on a GPU (Orojenesis, ISCA 2024)", _NOTES, tuple(results))
