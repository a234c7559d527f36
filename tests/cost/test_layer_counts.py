"""What the array does, each row derived by hand."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from math import prod

import numpy as np
import pytest

from energysim.cost import LayerCost, Setting
from energysim.cost.layer_counts import LayerCounts, sum_sizes
from energysim.cost.two_level import TwoLevel
from energysim.errors import SpecError
from energysim.kernels import DenseKernel, MaskKernel, PeriodicKernel
from energysim.mapping import Rules
from energysim.windows import Axis
from energysim.workload import LoopNest, MacWorkload, Operand

from .small import conv, hardware, pj, rows, setting

#: 3 filters, 2 channels, 3x2 windows on a 5x5 image, no padding: 3 x 4 outputs.
#: 36 weights, 12 positions, 36 outputs, 432 MACs; 12 (channel, tap) rows; sums of 12 products.
LAYER = conv(3, 2, Axis(3, 5, 3), Axis(4, 5, 2))
#: Filter 0 keeps channel 0 whole (6 taps), filter 1 one tap of channel 0 and one of channel 1,
#: filter 2 nothing: 8 weights; rows: one used twice, 5 + 1 used once.
MASK = np.zeros((3, 2, 3, 2), dtype=np.bool_)
MASK[0, 0] = True
MASK[1, 0, 0, 0] = MASK[1, 1, 2, 1] = True
SPARSE = conv(3, 2, Axis(3, 5, 3), Axis(4, 5, 2), MaskKernel(MASK))


def cost(work: MacWorkload, given: Setting) -> LayerCost:
    return TwoLevel().evaluate((work,), given)[0]


def test_nothing_shared() -> None:
    # Every MAC reads a weight and an input and writes a sum; 36 of the sums are not read first.
    found = cost(LAYER, setting(hardware()))
    assert found.dense_macs == found.macs == found.effective_macs == 432
    assert rows(found) == {
        "buffer weights read": (432, 432 * 8),
        "buffer inputs read": (432, 432 * 8),
        "buffer partial_sums update": (432, 432 * 32),
        "buffer partial_sums read": (396, 396 * 32),
        "buffer outputs drain": (36, 36 * 32),
        "mac  compute": (432, 0),
        "dram weights read": (36, 36 * 8),
        "dram inputs read": (50, 50 * 8),
        "dram outputs write": (36, 36 * 8),
        "buffer weights fill": (36, 36 * 8),
        "buffer inputs fill": (50, 50 * 8),
    }
    assert found.times == (("compute", 432),)
    assert found.utilisation == 1
    # 10 and 20 pJ per 8-bit word of the buffer, 100 and 200 of the DRAM.
    assert pj(found, "buffer weights read") == 4320
    assert pj(found, "buffer partial_sums update") == 432 * 4 * 20
    assert pj(found, "buffer partial_sums read") == 396 * 4 * 10
    assert pj(found, "buffer outputs drain") == 36 * 4 * 10
    assert pj(found, "mac  compute") == 432
    assert pj(found, "dram weights read") == 3600
    assert pj(found, "dram outputs write") == 7200
    assert pj(found, "buffer inputs fill") == 1000
    assert found.energy_aj == 10**6 * (
        2 * 4320 + 34_560 + 15_840 + 1440 + 432 + 3600 + 5000 + 7200 + 720 + 1000
    )


def test_pixels_share_a_weight() -> None:
    # 12 positions in groups of 5: 3 groups, so 3 reads of each of 36 weights; 3 cycles per weight.
    found = cost(LAYER, setting(hardware(pixels=5)))
    assert rows(found)["buffer weights read"] == (108, 864)
    assert rows(found)["buffer inputs read"] == (432, 3456)
    assert found.cycles == 108
    assert found.utilisation == Fraction(432, 108 * 5)


def test_filters_share_an_input() -> None:
    # 3 filters in groups of 2: 2 reads per position and row, 12 x 12 x 2.
    found = cost(LAYER, setting(hardware(filters=2)))
    assert rows(found)["buffer inputs read"] == (288, 2304)
    assert rows(found)["buffer weights read"] == (432, 3456)
    assert found.cycles == 288
    assert found.utilisation == Fraction(432, 288 * 2)


@pytest.mark.parametrize(("products", "updates"), [(1, 12), (5, 3), (12, 1), (100, 1)])
def test_products_share_an_update(products: int, updates: int) -> None:
    # 36 sums of 12 products; each first write finds nothing to read.
    found = rows(cost(LAYER, setting(hardware(products=products))))
    assert found["buffer partial_sums update"] == (36 * updates, 36 * updates * 32)
    assert found["buffer partial_sums read"] == (36 * (updates - 1), 36 * (updates - 1) * 32)


def test_rules_of_first_reads_and_drains() -> None:
    found = rows(cost(LAYER, setting(rules=Rules(first_read="counted", drain="elided"))))
    assert found["buffer partial_sums read"] == (432, 432 * 32)
    assert "buffer outputs drain" not in found
    # The zeros are fetched from DRAM as well.
    assert found["dram partial_sums read"] == found["buffer partial_sums fill"] == (36, 36 * 32)
    assert "dram partial_sums write" not in found


def test_skipped_weights() -> None:
    # 8 weights: 96 MACs. Rows with weights: 7, so 7 input reads per position, 8 in groups of one.
    found = cost(SPARSE, setting(hardware(pixels=5, filters=2, products=4)))
    assert (found.dense_macs, found.macs, found.effective_macs) == (432, 96, 96)
    assert rows(found)["mac  compute"] == (96, 0)
    # A bitmap beside the values: 8 x 8 bits and 36 positions, three times.
    assert rows(found)["buffer weights read"] == (24, 3 * (64 + 36))
    assert rows(found)["buffer inputs read"] == (84, 84 * 8)
    # Sums of 6, 2 and 0 products in groups of 4: 2 + 1 + 1 writes per position, 12 positions.
    assert rows(found)["buffer partial_sums update"] == (48, 48 * 32)
    assert rows(found)["buffer partial_sums read"] == (12, 12 * 32)
    # 3 groups of positions x 7 rows.
    assert found.cycles == 21
    assert found.utilisation == Fraction(96, 21 * 10)
    assert rows(cost(SPARSE, setting(hardware())))["buffer inputs read"] == (96, 768)


def test_gated_weights() -> None:
    # The array walks all rows; only the energy of multiplications and registers is saved.
    found = cost(SPARSE, setting(hardware(weights="gate", registers=True)))
    assert (found.macs, found.effective_macs, found.cycles) == (96, 96, 432)
    assert rows(found)["buffer inputs read"] == (432, 3456)
    assert rows(found)["buffer partial_sums update"] == (432, 432 * 32)
    assert rows(found)["buffer weights read"] == (96, 12 * 100)
    assert rows(found)["register inputs read"] == (96, 768)
    assert found.utilisation == 1


def test_weight_zeros_that_are_not_exploited() -> None:
    found = cost(SPARSE, setting(hardware(weights="none", registers=True)))
    assert (found.macs, found.effective_macs, found.cycles) == (96, 432, 432)
    assert rows(found)["mac  compute"] == (432, 0)
    assert rows(found)["register weights read"] == (432, 3456)


def test_a_periodic_kernel_reads_its_table_once() -> None:
    # (f + c + 1) mod 2: slots 1 0 / 0 1 / 1 0 of 2 and 1 taps: 3 x 1 + 3 x 2 = 9 weights.
    kernel = PeriodicKernel((3, 2, 3, 2), ((0, 1), (5,)))
    found = cost(conv(3, 2, Axis(3, 5, 3), Axis(4, 5, 2), kernel), setting(hardware(pixels=12)))
    assert (found.macs, found.weight_bits, found.side_bits) == (108, 72, 12)
    assert rows(found)["dram weights read"] == (9, 72 + 12)
    assert rows(found)["buffer weights fill"] == (9, 72 + 12)
    assert rows(found)["buffer weights read"] == (9, 72)


def test_registers() -> None:
    # Each MAC: a weight, an input (8 bit: 0.1 pJ), a sum read (0.4) and written (0.8).
    found = cost(LAYER, setting(hardware(registers=True)))
    assert rows(found)["register weights read"] == (432, 3456)
    assert pj(found, "register weights read") == pj(found, "register inputs read") == Fraction("43.2")
    assert rows(found)["register partial_sums update"] == (432, 432 * 32)
    assert pj(found, "register partial_sums read") == Fraction("172.8")
    assert pj(found, "register partial_sums update") == Fraction("345.6")


def test_register_accesses_per_mac() -> None:
    hw = hardware(registers=True)
    use = replace(hw.register_accesses, weight_reads=0, psum_reads=2)
    found = rows(cost(LAYER, setting(replace(hw, register_accesses=use))))
    assert found["register weights read"] == (0, 0)
    assert found["register partial_sums read"] == (864, 864 * 32)


@pytest.mark.parametrize(("handling", "cycles"), [("none", 432), ("gate", 432), ("skip", 288)])
def test_activation_zeros(handling: str, cycles: int) -> None:
    # A third of the inputs is zero: 288 of 432 products remain, expected.
    work = conv(3, 2, Axis(3, 5, 3), Axis(4, 5, 2), density=Fraction(2, 3))
    found = cost(work, setting(hardware(activations=handling, registers=True)))
    macs = 432 if handling == "none" else 288
    assert (found.macs, found.effective_macs, found.cycles) == (432, macs, cycles)
    assert found.utilisation == 1
    expected = {f"{a.level} {a.tensor} {a.action}": a.expected for a in found.accesses}
    assert rows(found)["mac  compute"] == (macs, 0)
    assert expected["mac  compute"] == (handling != "none")
    assert rows(found)["register weights read"][0] == macs
    assert rows(found)["register inputs read"][0] == 432, "the reading of the input shows that it is zero"
    assert not expected["register inputs read"]
    assert rows(found)["buffer inputs read"][0] == 432
    assert rows(found)["dram inputs read"] == (50, 400) and not expected["dram inputs read"]


def test_expected_macs_are_rounded_up_once() -> None:
    work = conv(3, 2, Axis(3, 5, 3), Axis(4, 5, 2), density=Fraction(1, 7))
    assert cost(work, setting(hardware(activations="gate"))).effective_macs == 62  # 61.7


def test_groups() -> None:
    # 2 groups of 1 filter and 1 channel, 1x1 on 2x1: no row serves two filters.
    found = cost(conv(1, 1, Axis(2, 2), Axis(1, 1), groups=2), setting(hardware(filters=4)))
    assert rows(found)["buffer inputs read"] == (4, 32)
    assert (found.macs, found.cycles, found.utilisation) == (4, 4, Fraction(1, 4))


def test_batch_is_part_of_the_positions() -> None:
    # 2 images of 12 positions in groups of 5: 5 groups, not 2 x 3.
    found = cost(conv(3, 2, Axis(3, 5, 3), Axis(4, 5, 2), batch=2), setting(hardware(pixels=5)))
    assert rows(found)["buffer weights read"][0] == 5 * 36
    assert rows(found)["dram inputs read"][0] == 100


def test_transposed_convolution() -> None:
    # 2 inputs, window 3, stride 2, one cropped in front: outputs -1..3 get 1 1 2 1 1 products; 0..3 stay
    # if the output has 4. One column. 2 filters, 3 channels: 2 x 1 positions x 18 weights = 36 MACs.
    work = conv(2, 3, Axis(4, 2, 3, 2, 1, 1, transposed=True), Axis(1, 1, transposed=True))
    assert sum_sizes(work.nest, DenseKernel((2, 3, 3, 1))) == ((3, 2 * 3), (6, 2 * 1))
    found = cost(work, setting(hardware(products=4)))
    assert found.macs == 36
    # Sums of 3 products are written once, those of 6 twice.
    assert rows(found)["buffer partial_sums update"][0] == 6 + 2 * 2
    assert rows(found)["buffer partial_sums read"][0] == 2
    assert rows(found)["buffer inputs read"][0] == 2 * 9 * 2
    assert rows(found)["dram inputs read"][0] == 6


def test_outputs_that_no_input_meets_are_written() -> None:
    # Transposed 1x1 with stride 2: outputs 0 and 2 get a product, 1 none.
    work = conv(1, 1, Axis(3, 2, 1, 2, transposed=True), Axis(1, 1, transposed=True))
    found = rows(cost(work, setting()))
    assert found["buffer partial_sums update"][0] == found["buffer outputs drain"][0] == 3
    assert found["buffer partial_sums read"][0] == 0


def test_sparse_transposed_sums_are_not_guessed() -> None:
    work = conv(3, 2, Axis(7, 5, 3, transposed=True), Axis(6, 5, 2, transposed=True))
    with pytest.raises(ValueError, match="sparse transposed"):
        sum_sizes(work.nest, MaskKernel(MASK))


def test_matrix_product() -> None:
    # 2 heads, 3 x 4 times 4 x 5: the second operand takes the place of the weights, 40 elements.
    nest = LoopNest(1, 2, 5, 4, Axis(3, 3), Axis(1, 1), DenseKernel((10, 4, 1, 1)))
    work = MacWorkload(nest, Operand((2, 3, 4)), Operand((2, 3, 5)), Operand((2, 4, 5)))
    found = cost(work, setting())
    assert (found.macs, found.weight_bits, found.side_bits) == (120, 0, 0)
    assert rows(found)["dram inputs_2 read"] == rows(found)["buffer inputs_2 fill"] == (40, 320)
    assert rows(found)["buffer inputs_2 read"] == (120, 960)
    assert not any("weights" in name for name in rows(found))
    assert found.compulsory_bits == 8 * (24 + 40 + 30)


def test_zeros_of_both_operands_multiply() -> None:
    half = Fraction(1, 2)
    nest = LoopNest(1, 2, 5, 4, Axis(3, 3), Axis(1, 1), DenseKernel((10, 4, 1, 1)))
    work = MacWorkload(
        nest, Operand((2, 3, 4), None, half), Operand((2, 3, 5)), Operand((2, 4, 5), None, half)
    )
    assert cost(work, setting(hardware(activations="gate"))).effective_macs == 30


def test_other_operations() -> None:
    found = cost(replace(LAYER, other_ops=36), setting())
    assert found.other_ops == 36
    assert rows(found)["vector  compute"] == (36, 0)
    assert pj(found, "vector  compute") == 108


def test_times_of_memories() -> None:
    # DRAM: 122 elements x 8 bit = 976 bit at 3 bit a cycle: 325.3. Buffer: all its rows at 64 bit.
    found = cost(LAYER, setting(hardware(pixels=12, filters=3, dram_bandwidth=3, buffer_bandwidth=64)))
    bits = sum(size for name, (_, size) in rows(found).items() if name.startswith("buffer"))
    assert found.times == (("compute", 12), ("dram", 326), ("buffer", -(-bits // 64)))
    assert (found.cycles, found.bound) == (max(326, -(-bits // 64)), "buffer" if bits > 326 * 64 else "dram")


def test_widths_of_tensors_are_their_own() -> None:
    work = replace(LAYER, inputs=replace(LAYER.inputs, bits=4), outputs=replace(LAYER.outputs, bits=2))
    found = rows(cost(work, setting()))
    assert found["dram inputs read"] == found["buffer inputs fill"] == (50, 200)
    assert found["dram outputs write"] == (36, 72)
    with pytest.raises(SpecError, match="no MAC for 8-bit weights and 16-bit"):
        cost(replace(LAYER, inputs=replace(LAYER.inputs, bits=16)), setting())


def test_density_one_is_dense() -> None:
    shape = (3, 2, 3, 2)
    axes = Axis(3, 5, 3), Axis(4, 5, 2)
    given = setting(hardware(5, 2, 4, registers=True))
    full = PeriodicKernel(shape, (tuple(range(6)),) * 3), MaskKernel(np.ones(shape, dtype=np.bool_))
    for kernel in full:
        assert cost(conv(3, 2, *axes, kernel), given) == cost(conv(3, 2, *axes), given)


def test_fewer_weights_never_cost_more_macs() -> None:
    draw = np.random.Generator(np.random.Philox(3))
    order = draw.permutation(prod(MASK.shape))
    for handling in ("none", "gate", "skip"):
        before = (0, 0, 0)
        for kept in range(len(order) + 1):
            mask = np.zeros(len(order), dtype=np.bool_)
            mask[order[:kept]] = True
            layer = conv(3, 2, Axis(3, 5, 3), Axis(4, 5, 2), MaskKernel(mask.reshape(MASK.shape)))
            found = cost(layer, setting(hardware(2, 2, 3, weights=handling)))
            now = (found.macs, found.effective_macs, found.cycles)
            assert all(a <= b for a, b in zip(before, now, strict=True))
            before = now


def test_counts_do_not_depend_on_the_mapping() -> None:
    given = setting(hardware(2, 2, 3, registers=True))
    small = replace(given.hardware, buffer=replace(given.hardware.buffer, capacity_bits=800))
    both = [LayerCounts(LAYER, s).accesses for s in (given, replace(given, hardware=small))]
    assert both[0] == both[1]
