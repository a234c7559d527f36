"""Small random layers and pieces of hardware, from a seed."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from random import Random

import numpy as np

from energysim.cost import Setting
from energysim.hardware import (
    Array,
    Constant,
    Hardware,
    Partitions,
    RegisterAccesses,
    ZeroHandling,
    load_hardware,
)
from energysim.kernels import DenseKernel, Kernel, MaskKernel, PeriodicKernel
from energysim.mapping import RULE_VALUES, Rules
from energysim.windows import Axis
from energysim.workload import LoopNest, MacWorkload, Operand

__all__ = ["larger_rules", "random_hardware", "random_nest", "random_rules", "random_setting", "random_work"]


def random_axis(draw: Random, most: int, transposed: bool) -> Axis:
    """Windows of 1 to 4, strides 1 to 3, dilation, padding at either end; up to ``most`` outputs."""
    while True:
        window, stride = draw.choice([1, 1, 2, 3, 3, 4]), draw.choice([1, 1, 2, 3])
        dilation = draw.choice([1, 1, 2, 3]) if window > 1 else 1
        before, after = draw.choice([0, 0, 1, 2]), draw.choice([0, 0, 1, 2])
        inputs, reach = draw.randint(1, 2 * most), (window - 1) * dilation + 1
        if transposed:
            outputs = (inputs - 1) * stride + reach - before - after
        else:
            outputs = (inputs + before + after - reach) // stride + 1
        if 1 <= outputs <= most and before < reach and after < reach:
            return Axis(outputs, inputs, window, stride, dilation, before, transposed)


def random_kernel(draw: Random, shape: tuple[int, int, int, int]) -> Kernel:
    """Dense, periodic (the period need divide nothing), or any mask; empty slots and filters occur."""
    taps = shape[2] * shape[3]
    kind = draw.choice(["dense", "periodic", "mask"])
    if kind == "dense":
        return DenseKernel(shape)
    if kind == "periodic":
        slots = (sorted(draw.sample(range(taps), draw.randint(0, taps))) for _ in range(draw.randint(1, 5)))
        return PeriodicKernel(shape, tuple(map(tuple, slots)))
    density = draw.random()
    return MaskKernel(np.array([draw.random() < density for _ in range(int(np.prod(shape)))]).reshape(shape))


def random_nest(draw: Random, most: int = 6) -> LoopNest:
    """A convolution (grouped, depthwise), transposed convolution, linear layer or matrix product."""
    kind = draw.choice(["conv"] * 5 + ["deconv", "depthwise", "linear", "matmul"])
    small = [1, 1, 1, 2, 3]
    batch, filters, channels = draw.choice([1, 1, 2, 3]), draw.choice([1, 2, 3, 4]), draw.choice([1, 2, 3, 4])
    groups = draw.choice([1, 1, 1, 2, 3])
    if kind == "linear":
        length, groups = draw.choice(small), 1
        axes = Axis(length, length), Axis(1, 1)
    elif kind == "matmul":
        length, batch = draw.randint(1, most), 1
        axes = Axis(length, length), Axis(1, 1)
    else:
        turned = kind == "deconv"
        axes = random_axis(draw, most, turned), random_axis(draw, draw.choice([1, 3, most]), turned)
    if kind == "depthwise":
        groups, filters, channels = draw.randint(2, 4), 1, 1
    shape = (groups * filters, channels, axes[0].window, axes[1].window)
    kernel = random_kernel(draw, shape) if kind in ("conv", "linear") else DenseKernel(shape)
    return LoopNest(batch, groups, filters, channels, *axes, kernel)


def random_work(draw: Random) -> MacWorkload:
    """A layer with its tensors, some of them with zeros."""
    nest = random_nest(draw)
    share = Fraction(draw.randint(0, 8), 8)
    inputs = (nest.batch, nest.groups * nest.channels, nest.rows.inputs, nest.cols.inputs)
    outputs = (nest.batch, nest.groups * nest.filters, nest.rows.outputs, nest.cols.outputs)
    second = None
    if nest.kernel.is_dense and draw.random() < 0.3:
        second = Operand((nest.groups, nest.channels, nest.filters), None, Fraction(draw.randint(0, 4), 4))
    ops = draw.randint(0, 5)
    return MacWorkload(nest, Operand(inputs, None, share, share), Operand(outputs), second, ops)


def random_setting(draw: Random, work: MacWorkload, rules: Rules, objective: str = "energy") -> Setting:
    """Hardware and widths; the buffer holds between a tenth of the layer and more than all of it."""
    weights, activations, sums = draw.choice([4, 8]), draw.choice([4, 8]), draw.choice([8, 16])
    nonzeros = work.nest.kernel.nonzeros
    full = nonzeros * weights + work.inputs.elements * activations + work.outputs.elements * sums
    capacity = full * draw.choice([1, 2, 3, 5, 7, 10, 15]) // 10 + 1
    hardware = random_hardware(draw, capacity)
    return Setting(hardware, rules, objective, weights, activations, sums)


def random_rules(draw: Random) -> Rules:
    """Any value of each rule with which tiles are even."""
    values = {name: [v for v in values if v != "both-axes"] for name, (_, values) in RULE_VALUES.items()}
    del values["residence"]
    return Rules(**{name: draw.choice(accepted) for name, accepted in values.items()})


def larger_rules(draw: Random) -> Rules:
    """Any value of each rule with which the space is larger than that of even tiles."""
    rules = random_rules(draw)
    if draw.random() < 0.3:
        return replace(rules, residence="uneven")
    residence = draw.choice(["even", "uneven", "uneven"])
    return replace(rules, residence=residence, overlap="both-axes", untouched="skipped")


def random_hardware(draw: Random, capacity: int) -> Hardware:
    """Energies, words, array, bandwidths, zeros at random; a buffer of about ``capacity`` bits."""

    def constant(value: Fraction | int, unit: str) -> Constant:
        return Constant(Fraction(value), unit, "", "assumed", None, path="test")

    def energy(most: int) -> Constant:
        return constant(Fraction(draw.randint(0, most * 1000), 1000), "pJ")

    def bandwidth() -> Constant | None:
        rate = Fraction(draw.randint(1, 300), draw.choice([1, 1, 3]))
        return draw.choice([None, constant(rate, "bit/cycle")])

    base = load_hardware("teaching")
    parts = None
    if draw.random() < 0.3:
        shares = [draw.randint(1, 5) for _ in range(3)]
        parts = Partitions(*(capacity * share // sum(shares) for share in shares))
    dram = replace(base.dram, word_bits=draw.choice([8, 16, 64]), read=energy(500), write=energy(500))
    buffer = replace(base.buffer, word_bits=draw.choice([8, 16, 64]), read=energy(20), write=energy(20))
    compute = ["none", "gate", "skip"]
    return replace(
        base,
        dram=replace(dram, bandwidth=bandwidth()),
        buffer=replace(buffer, bandwidth=bandwidth(), capacity_bits=capacity, partitions=parts),
        mac=((64, energy(3)),),
        register=draw.choice([(), ((8, energy(1), energy(1)), (64, energy(2), energy(2)))]),
        register_accesses=RegisterAccesses(*(draw.randint(0, 2) for _ in range(4))),
        array=Array(*(draw.choice([1, 1, 2, 3, 16]) for _ in range(3))),
        weights=ZeroHandling(draw.random() < 0.7, draw.choice(compute)),
        activations=ZeroHandling(False, draw.choice(compute)),
    )
