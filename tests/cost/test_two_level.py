"""What passes between DRAM and the buffer, capacities, explicit tilings: by hand."""

from __future__ import annotations

import re
from dataclasses import replace
from fractions import Fraction
from random import Random

import pytest
from mapping.random_layers import larger_rules, random_rules, random_setting, random_work

from energysim.cost import COST_MODELS, Setting
from energysim.cost.two_level import TwoLevel, evaluate_tiling
from energysim.errors import CapacityError, UsageError
from energysim.hardware import Partitions, ZeroHandling
from energysim.hardware.build_dram import device_dram
from energysim.hardware.dram_system import DramSystem
from energysim.kernels import PeriodicKernel
from energysim.mapping import PartTiling, Rules, Schedule, Steps, Sweep, Tiling
from energysim.windows import Axis
from energysim.workload import MacWorkload, Operand

from .small import conv, hardware, pj, rows, setting
from .test_dram_commands import DEVICE

#: 4 filters, 2 channels, 1x1 on 6 pixels: 8 weights, 12 inputs, 24 outputs.
LAYER = conv(4, 2, Axis(6, 6), Axis(1, 1))


def limited(bits: int, parts: Partitions | None = None, **rules: str) -> Setting:
    given = setting(rules=Rules(**rules))
    buffer = replace(given.hardware.buffer, capacity_bits=bits, partitions=parts)
    return replace(given, hardware=replace(given.hardware, buffer=buffer))


def test_partial_sums_go_out_and_come_back() -> None:
    # Tiles of one channel, all else whole, C outermost: the 24 sums are visited twice.
    cost = evaluate_tiling(LAYER, setting(), Tiling((1, 2, 1, 6, 1), "PMCNQ"))
    assert rows(cost)["dram partial_sums write"] == rows(cost)["buffer partial_sums drain"] == (24, 768)
    assert rows(cost)["dram partial_sums read"] == rows(cost)["buffer partial_sums fill"] == (24, 768)
    assert rows(cost)["dram outputs write"] == (24, 192)
    # 96 words of 8 bit: DRAM writes 200 and reads 100, buffer fills 20 and drains 10 pJ.
    assert pj(cost, "dram partial_sums write") == 96 * 200
    assert pj(cost, "dram partial_sums read") == 96 * 100
    assert pj(cost, "buffer partial_sums fill") == 96 * 20
    assert pj(cost, "buffer partial_sums drain") == 96 * 10
    # C innermost: no spill; inputs once per tile of M, weights once.
    cost = evaluate_tiling(LAYER, setting(), Tiling((1, 2, 1, 6, 1), "CPMNQ"))
    assert "dram partial_sums write" not in rows(cost)
    assert rows(cost)["dram inputs read"] == rows(cost)["buffer inputs fill"] == (24, 192)
    assert rows(cost)["dram weights read"] == (8, 64)
    assert cost.mapping == "tile N1 M2 C1 P6 Q1, loops CPMNQ"
    assert not cost.optimal and cost.mappings == 1


def test_first_reads_are_fetched_where_they_are_counted() -> None:
    given = setting(rules=Rules(first_read="counted"))
    cost = evaluate_tiling(LAYER, given, Tiling((1, 2, 1, 6, 1), "PMCNQ"))
    assert rows(cost)["dram partial_sums read"] == rows(cost)["buffer partial_sums fill"] == (48, 1536)
    assert rows(cost)["dram partial_sums write"] == (24, 768)


def test_weights_in_passes() -> None:
    # Three tiles of P outside C: the weights come three times, the table of a periodic kernel once.
    kernel = PeriodicKernel((4, 2, 1, 1), ((0,), ()))
    cost = evaluate_tiling(
        conv(4, 2, Axis(6, 6), Axis(1, 1), kernel), setting(), Tiling((1, 4, 1, 2, 1), "CPMNQ")
    )
    assert rows(cost)["dram weights read"] == rows(cost)["buffer weights fill"] == (12, 3 * 32 + 2)
    assert cost.compulsory_bits == 34 + 12 * 8 + 24 * 8


def test_compressed_maps_are_expected_values() -> None:
    # Half of the inputs is zero; a bitmap costs a bit per element: 4 + 1 bit. The buffer holds 8.
    half = Fraction(1, 2)
    hw = replace(hardware(), activations=ZeroHandling(True, "none", "bitmap"))
    work = conv(4, 2, Axis(6, 6), Axis(1, 1), density=half)
    (cost,) = TwoLevel().evaluate((work,), setting(hw))
    expected = {f"{a.level} {a.tensor} {a.action}": a.expected for a in cost.accesses}
    assert rows(cost)["dram inputs read"] == (12, 60) and expected["dram inputs read"]
    assert rows(cost)["buffer inputs fill"] == (12, 96) and not expected["buffer inputs fill"]
    # Dense outputs bypass the encoder: exact.
    assert rows(cost)["dram outputs write"] == (24, 192) and not expected["dram outputs write"]
    assert cost.compulsory_bits == 64 + 60 + 192
    # Random zeros that are stored like all else are exact, too.
    (cost,) = TwoLevel().evaluate((work,), setting())
    assert not any(a.expected for a in cost.accesses)


def test_a_compressed_second_operand_is_expanded_in_the_buffer() -> None:
    hw = replace(hardware(), activations=ZeroHandling(True, "none", "bitmap"))
    half = Fraction(1, 2)
    second = Operand((1, 2, 4), None, half, half)
    (cost,) = TwoLevel().evaluate((replace(LAYER, second=second),), setting(hw))
    row = next(a for a in cost.accesses if (a.level, a.tensor) == ("dram", "inputs_2"))
    assert (row.elements, row.bits, row.expected) == (8, 40, True)
    assert rows(cost)["buffer inputs_2 fill"] == (8, 64)
    assert cost.compulsory_bits == 40 + 96 + 192


def test_outputs_are_written_in_the_shape_they_are_stored_in() -> None:
    # As with a pooling layer fused behind: 24 sums leave the array, 6 values are written.
    pooled = replace(LAYER, outputs=Operand((1, 4, 3, 1)))
    (cost,) = TwoLevel().evaluate((pooled,), setting())
    assert rows(cost)["dram outputs write"] == (12, 96)
    assert rows(cost)["buffer outputs drain"] == (24, 768)


@pytest.mark.parametrize("double", ["no", "yes"])
def test_the_smallest_shared_buffer(double: str) -> None:
    # One weight, one input, one sum: 8 + 8 + 32 bit; two of each with double buffering.
    need = 48 if double == "no" else 96
    with pytest.raises(CapacityError) as caught:
        TwoLevel().evaluate((LAYER,), limited(need - 1, double_buffering=double))
    assert str(caught.value) == (
        f"no tile fits: {need} bit are needed (weights {need // 6}, inputs {need // 6}, outputs "
        f"{need * 2 // 3}) and the buffer has {need - 1}; a buffer of {need // 8} B would do"
    )
    TwoLevel().evaluate((LAYER,), limited(need, double_buffering=double))


def test_the_smallest_split_buffer() -> None:
    with pytest.raises(CapacityError) as caught:
        TwoLevel().evaluate((LAYER,), limited(10**6, Partitions(7, 8, 31)))
    assert str(caught.value) == (
        "no tile fits: weights need 8 bit and their part of the buffer has 7; 1 B would do; "
        "outputs need 32 bit and their part of the buffer has 31; 4 B would do"
    )
    TwoLevel().evaluate((LAYER,), limited(0, Partitions(8, 8, 32)))


@pytest.mark.parametrize("seed", range(40))
def test_what_the_message_says_suffices_and_a_bit_less_does_not(seed: int) -> None:
    draw = Random(seed)
    work = random_work(draw)
    given = random_setting(draw, work, random_rules(draw))

    def with_buffer(bits: int, parts: Partitions | None) -> Setting:
        buffer = replace(given.hardware.buffer, capacity_bits=bits, partitions=parts)
        return replace(given, hardware=replace(given.hardware, buffer=buffer))

    with pytest.raises(CapacityError) as caught:
        TwoLevel().evaluate((work,), with_buffer(0, None))
    found = re.search(r"(\d+) bit are needed .* a buffer of (\d+) B would do", str(caught.value))
    assert found is not None
    bits, size = int(found[1]), int(found[2])
    assert size == -(-bits // 8)
    TwoLevel().evaluate((work,), with_buffer(8 * size, None))
    TwoLevel().evaluate((work,), with_buffer(bits, None))
    with pytest.raises(CapacityError):
        TwoLevel().evaluate((work,), with_buffer(bits - 1, None))
    # The same by part.
    with pytest.raises(CapacityError) as caught:
        TwoLevel().evaluate((work,), with_buffer(0, Partitions(-1, -1, -1)))
    need = {k: int(v) for k, v in re.findall(r"(\w+) need (\d+) bit", str(caught.value))}
    assert sum(need.values()) == bits
    TwoLevel().evaluate((work,), with_buffer(0, Partitions(**need)))
    for part in need:
        with pytest.raises(CapacityError, match=f"{part} need"):
            TwoLevel().evaluate((work,), with_buffer(0, Partitions(**need | {part: need[part] - 1})))


def test_an_explicit_tiling_must_fit() -> None:
    tiling = Tiling((1, 4, 2, 6, 1), "NMCPQ")
    # 8 weights, 12 inputs, 24 sums.
    evaluate_tiling(LAYER, limited(64 + 96 + 768), tiling)
    with pytest.raises(CapacityError, match=re.escape(f"{tiling} does not fit: 928 bit are needed")):
        evaluate_tiling(LAYER, limited(64 + 96 + 768 - 1), tiling)
    with pytest.raises(ValueError, match="dimension P has tiles of 1 to 6, not 7"):
        evaluate_tiling(LAYER, setting(), Tiling((1, 4, 2, 7, 1), "NMCPQ"))


@pytest.mark.parametrize("seed", range(30))
def test_the_best_mapping_evaluated_again_costs_the_same(seed: int) -> None:
    draw = Random(seed)
    work = random_work(draw)
    given = random_setting(draw, work, random_rules(draw), draw.choice(["energy", "dram", "delay", "edp"]))
    try:
        (best,) = TwoLevel().evaluate((work,), given)
    except CapacityError:
        return
    numbers = re.findall(r"[NMCPQ](\d+)", best.mapping)
    tiling = Tiling(tuple(int(n) for n in numbers), best.mapping.split()[-1])  # type: ignore[arg-type]
    again = evaluate_tiling(work, given, tiling)
    assert replace(again, optimal=True, mappings=best.mappings) == best


@pytest.mark.parametrize("seed", range(60))
def test_the_best_of_the_larger_space_evaluated_again_costs_the_same(seed: int) -> None:
    draw = Random(seed)
    work = random_work(draw)
    given = random_setting(draw, work, larger_rules(draw), draw.choice(["energy", "dram", "delay", "edp"]))
    try:
        (best,) = TwoLevel().evaluate((work,), given)
    except CapacityError:
        return
    again = evaluate_tiling(work, given, written(best.mapping))
    assert replace(again, optimal=True, mappings=best.mappings) == best


def written(text: str) -> Schedule:
    """The mapping that a report shows."""
    sizes = {d: int(n) for d, n in re.findall(r"\b([NMCPQ])(\d+)", text)}
    if text.startswith("sweep"):
        along = text.split()[3][0]
        return Sweep(sizes["M"], sizes["C"], along, sizes[along], text.split()[-2])
    if text.startswith("bands"):
        along = text.split()[1][0]
        return Steps(sizes["N"], sizes["M"], along, sizes[along], sizes["PQ"[along == "P"]])
    tiling = Tiling(tuple(sizes[d] for d in "NMCPQ"), text.split("loops ")[1][:5])  # type: ignore[arg-type]
    kept = re.search(r"(\d+) (?:channels|filters) of (\w+) stay", text)
    return tiling if kept is None else PartTiling(tiling, kept[2], int(kept[1]))


def test_a_part_of_weights_that_are_not_alike() -> None:
    # Channel 0 has three weights, channel 1 one, channels 2 to 5 none or one.
    slots = ((0,), (0,), (), (), (0,), ())
    layer = conv(2, 6, Axis(6, 6), Axis(1, 1), PeriodicKernel((2, 6, 1, 1), slots))
    mapping = PartTiling(Tiling((1, 1, 1, 2, 1), "CPQNM"), "weights", 2)
    with pytest.raises(UsageError, match="2 channels of weights stay: along C not all weights take the same"):
        evaluate_tiling(layer, setting(), mapping)
    inputs = replace(mapping, tiling=Tiling((1, 1, 1, 2, 1), "CMPQN"), tensor="inputs")
    # Two of six channels once, four once per filter: 2 * 6 + 4 * 6 * 2 inputs.
    assert rows(evaluate_tiling(layer, setting(), inputs))["dram inputs read"] == (60, 480)
    # With a period that divides the filters, every channel has as many weights.
    even = conv(2, 6, Axis(6, 6), Axis(1, 1), PeriodicKernel((2, 6, 1, 1), ((0,), ())))
    # One of two passes over four channels of a weight each, and two channels once: three tiles of positions.
    assert rows(evaluate_tiling(even, setting(), mapping))["dram weights read"] == (2 + 4 * 3, 8 * 14 + 2)


def test_the_larger_space_needs_a_price_per_bit() -> None:
    system = DramSystem(DEVICE, 1, 1, 1, "row:bank:column")
    plain = hardware()
    given = setting(replace(plain, dram=device_dram(system, plain.clock_hz, None)))
    for rules in (Rules(overlap="both-axes"), Rules(residence="uneven")):
        with pytest.raises(UsageError, match="need DRAM with a price per bit"):
            TwoLevel().evaluate((LAYER,), replace(given, rules=rules))
    with pytest.raises(UsageError, match="need DRAM with a price per bit"):
        evaluate_tiling(LAYER, given, Sweep(1, 1, "Q", 1, "sums"))


def test_nothing_of_the_larger_space_fits() -> None:
    # A 3x3 window: 9 weights and an input of 8 bits, three sums of 8; a tile needs nine inputs and a sum.
    layer = conv(2, 2, Axis(6, 6, 3, 1, 1, 1), Axis(6, 6, 3, 1, 1, 1))
    given = limited(103, overlap="both-axes")
    with pytest.raises(CapacityError, match=r"104 bit are needed \(weights 72, inputs 8, outputs 24\)"):
        TwoLevel().evaluate((layer,), replace(given, accumulator_bits=8))
    (cost,) = TwoLevel().evaluate((layer,), replace(limited(104, overlap="both-axes"), accumulator_bits=8))
    assert cost.mapping == "sweep in bands Q1, tile M1 C1, sums kept"


def test_a_segment_is_evaluated_in_order() -> None:
    model = COST_MODELS.get("two-level")()
    other: MacWorkload = conv(1, 1, Axis(2, 2), Axis(1, 1))
    one, two = model.evaluate((LAYER, other), setting())
    assert (one.macs, two.macs) == (48, 2)
