"""Which format a tensor gets, and its bits."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

from energysim.cost.storage import StoredWeights, stored_operand
from energysim.errors import EnergysimError
from energysim.formats import FORMATS, get_format
from energysim.hardware import Hardware, ZeroHandling
from energysim.kernels import DenseKernel, Kernel, MaskKernel, PeriodicKernel, random_support
from energysim.workload import Operand

from .small import hardware, setting

SHAPE = (6, 4, 3, 3)
PERIODIC = PeriodicKernel(SHAPE, ((0, 1, 2, 3), (4, 5, 6, 7, 8), (0, 8)))
RANDOM = random_support(SHAPE, 4, 1, 2)
UNEVEN = MaskKernel(np.random.Generator(np.random.Philox(1)).random(SHAPE) < 0.4)


def dense_only() -> Hardware:
    return replace(hardware(), weights=ZeroHandling(False, "skip"))


@pytest.mark.parametrize(
    ("kernel", "name"),
    [(DenseKernel(SHAPE), "dense"), (PERIODIC, "periodic"), (RANDOM, "bitmap"), (UNEVEN, "bitmap")],
)
def test_formats_by_default(kernel: Kernel, name: str) -> None:
    assert StoredWeights(kernel, 8, setting()).format.name == name
    assert StoredWeights(kernel, 8, setting(dense_only())).format.name == "dense"
    asked = StoredWeights(kernel, 8, setting(weight_format="csr")).format.name
    assert asked == ("dense" if kernel.is_dense else "csr")


def test_bits_of_a_periodic_tensor() -> None:
    # 24 windows, 8 of each slot of 4, 5 and 2 taps: 88 values; a table of 3 x 9 bits.
    stored = StoredWeights(PERIODIC, 8, setting())
    assert (stored.size.value_bits, stored.size.side_bits) == (704, 27)
    assert (stored.stream_bits, stored.table_bits, stored.elements) == (704, 27, 88)


def test_zeros_stored_densely_are_elements() -> None:
    stored = StoredWeights(RANDOM, 8, setting(dense_only()))
    assert (stored.elements, stored.stream_bits, stored.table_bits) == (216, 1728, 0)
    assert stored.tile_bits(np.array([2]), np.array([3])).tolist() == [2 * 3 * 9 * 8]


@pytest.mark.parametrize("kernel", [DenseKernel(SHAPE), PERIODIC, RANDOM, UNEVEN], ids=repr)
@pytest.mark.parametrize("name", [entry.name for entry in FORMATS.list()])
def test_larger_tiles_never_take_less(kernel: Kernel, name: str) -> None:
    # The search relies on it.
    try:
        get_format(name)
        stored = StoredWeights(kernel, 8, setting(weight_format=name))
        whole = stored.stream_bits
    except EnergysimError:
        return
    filters, channels = np.arange(1, 7)[:, None], np.arange(1, 5)
    bits = stored.tile_bits(filters, channels)
    assert (np.diff(bits, axis=0) >= 0).all() and (np.diff(bits, axis=1) >= 0).all()
    assert bits.min() >= 0 and bits[-1, -1] >= whole


def test_activations_are_compressed_only_where_it_helps() -> None:
    hw = replace(hardware(), activations=ZeroHandling(True, "none", "bitmap"))

    def stored(density: Fraction, **options: str) -> tuple[Fraction, bool]:
        found = stored_operand(Operand((1, 2, 8), None, density, density), setting(hw, **options))
        assert found.width == 8
        return found.bits, found.expected

    assert stored(Fraction(1, 2)) == (5, True)
    assert stored(Fraction(1)) == (8, False)
    assert stored(Fraction(1), activation_format="bitmap") == (9, False)
    assert stored(Fraction(0)) == (1, False)
    assert stored_operand(Operand((1, 2, 8), 4, Fraction(1, 2), Fraction(1, 2)), setting()).bits == 4


def test_a_format_that_cannot_hold_the_weights_is_named() -> None:
    with pytest.raises(EnergysimError, match="weights cannot be stored as periodic"):
        _ = StoredWeights(UNEVEN, 8, setting(weight_format="periodic")).size
