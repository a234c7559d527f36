"""Kernels: which positions of a weight tensor exist. Knows shapes and arrays only."""

from energysim.kernels.base import Histogram, IntArray, Kernel, KernelClass, WeightShape
from energysim.kernels.cyclic import CyclicKernel
from energysim.kernels.dense import DenseKernel
from energysim.kernels.mask import MaskKernel, random_support
from energysim.kernels.periodic import PeriodicKernel
from energysim.kernels.stored import StoredKernel
from energysim.kernels.thinned import block_support, cheapest_support, group_support, random_costs

__all__ = [
    "CyclicKernel",
    "DenseKernel",
    "Histogram",
    "IntArray",
    "Kernel",
    "KernelClass",
    "MaskKernel",
    "PeriodicKernel",
    "StoredKernel",
    "WeightShape",
    "block_support",
    "cheapest_support",
    "group_support",
    "random_costs",
    "random_support",
]
