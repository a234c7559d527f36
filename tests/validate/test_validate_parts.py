"""Differences, answers and stored bits, each by itself."""

from __future__ import annotations

import math

import numpy as np
import pytest

from energysim.errors import FormatError
from energysim.formats import get_format
from energysim.hardware import load_hardware
from energysim.kernels import DenseKernel, PeriodicKernel, random_support
from energysim.validate.answers import Answers
from energysim.validate.differences import Differences
from energysim.validate.stored import encoded_bits, format_of, quantised_weights

RNG = np.random.Generator(np.random.Philox(3))


def test_differences_in_batches_are_those_of_the_whole() -> None:
    reference = RNG.standard_normal((20, 3, 4)).astype(np.float32) * 3 + 100
    found = reference.copy()
    found[13, 1, 2] += 0.5
    found[2, 0, 0] -= 0.25
    off = Differences()
    for start in (0, 7, 15):
        stop = {0: 7, 7: 15, 15: 20}[start]
        off.add(reference[start:stop], found[start:stop])
    assert off.differing == 2
    assert off.largest == 0.5
    assert off.deviation == pytest.approx(float(reference.std(dtype=np.float64)), rel=1e-12)
    assert off.relative == pytest.approx(0.5 / off.deviation)
    assert off.meaningless is None
    assert off.problem(1.0) is None
    assert "2 of 240 outputs differ" in str(off.problem(0.01))
    assert "none may" in str(off.problem(0.0))


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_what_is_no_number_is_never_within_a_tolerance(bad: float) -> None:
    reference = np.arange(6, dtype=np.float32)
    found = reference.copy()
    found[3] = bad
    off = Differences()
    off.add(reference, found)
    off.add(reference, reference)
    assert off.largest is None
    assert off.relative is None
    assert "without any bound" in str(off.problem(0.9))
    broken = Differences()
    broken.add(found, found)
    assert "not all finite" in str(broken.meaningless)


def test_a_single_number_is_compared_with_its_magnitude() -> None:
    off = Differences()
    off.add(np.array([[-4.0]]), np.array([[-4.5]]))
    assert off.relative == 0.125
    assert off.problem(0.2) is None
    assert "by up to 0.5 or 0.125 standard" in str(off.problem(0.1))
    nothing = Differences()
    nothing.add(np.zeros((1, 1)), np.ones((1, 1)))
    assert "without any bound" in str(nothing.problem(0.9))


def test_another_shape_is_different() -> None:
    off = Differences()
    off.add(np.ones((2, 3)), np.ones((2, 1)))
    assert off.problem(0.9) is not None


def test_meaningless_references() -> None:
    constant, zeros, one = Differences(), Differences(), Differences()
    constant.add_reference(np.full(9, 2.5))
    zeros.add_reference(np.r_[np.zeros(996), np.ones(4)])
    one.add_reference(np.ones((1, 1)))
    assert constant.meaningless == "meaningless: the reference's activations are all 2.5"
    assert zeros.meaningless == "meaningless: 996 of the reference's 1000 activations are zero"
    assert one.meaningless is None
    assert Differences().meaningless is not None


def test_answers() -> None:
    reference = np.array([[9, 1, 2, 3, 4, 5, 0.5], [1, 2, 3, 4, 5, 6, 7]], dtype=np.float32)
    found = reference.copy()
    found[1, 5] = 8  # first class changes, the best five stay
    found[0, 1] = 0.25  # leaves rank 6; nothing of the five
    answers = Answers(7)
    answers.add(reference, found, np.array([0, 6]))
    assert (answers.top1_same, answers.top5_same, answers.images) == (1, 2, 2)
    assert answers.top1_margin == 1
    assert answers.top5_margin == 0
    assert (answers.top1_correct, answers.top5_correct, answers.labelled) == (1, 2, 2)
    few = Answers(3)
    few.add(reference[:, :3], found[:, :3], None)
    assert (few.top5_same, few.labelled) == (2, 0)


def test_ties_go_to_the_lower_class() -> None:
    answers = Answers(3)
    answers.add(np.array([[1.0, 1.0, 0.0]]), np.array([[1.0, 1.0, 0.0]]), np.array([0]))
    assert (answers.top1_same, answers.top1_correct) == (1, 1)


@pytest.mark.parametrize("bits", [1, 2, 8, 16, 32])
def test_quantised_weights_fit(bits: int) -> None:
    weights = RNG.standard_normal((5, 4, 3, 3)).astype(np.float32)
    found = quantised_weights(weights, bits)
    assert -(1 << (bits - 1)) <= int(found.min()) <= int(found.max()) <= (1 << (bits - 1)) - 1
    with pytest.raises(FormatError, match="1 to 32 bits, not in 33"):
        quantised_weights(weights, 33)


def test_stored_bits_by_hand() -> None:
    kernel = PeriodicKernel((5, 4, 3, 3), ((0, 1), (3,), (8,)))
    weights = RNG.standard_normal(kernel.shape).astype(np.float32)
    n = kernel.nonzeros
    for name, expected in (
        ("periodic", n * 8 + 27),
        ("bitmap", n * 8 + 180),
        ("dense", 180 * 8),
        ("pattern", n * 8 + 20 * 2 + 27),
    ):
        assert encoded_bits(weights, kernel, get_format(name), 8) == expected
    kept = np.where(kernel.mask(), weights, 0)
    kept[tuple(np.argwhere(kernel.mask())[0])] = 0  # a weight that happens to be zero is stored all the same
    assert encoded_bits(kept, kernel, get_format("bitmap"), 8) == n * 8 + 180


def test_a_dense_tensor_in_blocks_is_as_long_as_in_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("energysim.validate.stored._PART", 100)
    weights = RNG.standard_normal((50, 7, 1, 1)).astype(np.float32)
    assert encoded_bits(weights, DenseKernel(weights.shape), get_format("dense"), 11) == 350 * 11


def test_which_format() -> None:
    hardware = load_hardware("edge45")
    periodic = PeriodicKernel((5, 4, 3, 3), ((0, 1), (3,), (8,)))
    assert str(format_of(DenseKernel((5, 4, 3, 3)), hardware, "csr")) == "dense"
    assert str(format_of(periodic, hardware)) == "periodic"
    assert str(format_of(random_support((5, 4, 3, 3), 2, 0, 0), hardware)) == "bitmap"
    assert str(format_of(periodic, hardware, "csr")).startswith("csr")
