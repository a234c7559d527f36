"""Weight bytes of whole networks with periodic kernels, in seven formats.

First convolution, 1x1 convolutions and linear layers are dense and cost b bits a weight in every
column, without indices or pointers. 1 MB = 10**6 bytes. Every sparse layer is built in closed form
from the slot rule (f + c + 1) mod P; a small layer is checked against real encoded bytes.

Conventions of the columns:

- ``idx4`` is the plain ``nnz (b + 4)``: the counts per kernel are not charged. For kernels of equal
  size that is the default of ``index``; for boosted periods (one dense slot) it is
  ``index:counts=free``, the pattern period gives the count.
- ``pat id`` leaves the dictionary out (``pattern:dictionary=free``) and counts the dense pattern.
- ``periodic`` charges one table of 9 P bits per sparse layer.
"""

from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest

from energysim.formats import WeightLayout, get_format, kernels_per_slot, layout_of

VGG = [64, 64, 128, 128, 256, 256, 256, 512, 512, 512, 512, 512, 512]


def conv(m, c, k=3):
    return (m, c, k, k)


def resnet18(classes, features):
    """ResNet18 with a 3x3 stem: the sparse 3x3 layers, and the number of weights that stay dense."""
    sparse, dense, c = [], 3 * 64 * 9 + features * classes, 64
    for m in (64, 128, 256, 512):
        sparse += [conv(m, c), conv(m, m), conv(m, m), conv(m, m)]
        dense += 0 if m == c else m * c
        c = m
    return sparse, dense


def vgg16(classes, features):
    sparse = [conv(m, c) for c, m in pairwise(VGG)]
    return sparse, 3 * 64 * 9 + features * classes


NETS = {
    "ResNet18 C10": resnet18(10, 512),
    "VGG16 C10": vgg16(10, 512),
    "VGG16 Tiny": vgg16(200, 2048),
}

KSS4 = [{0, 1, 3, 4}, {1, 2, 4, 5}, {3, 4, 6, 7}, {4, 5, 7, 8}]
KSS2 = [{0, 1}, {1, 2}, {3, 4}, {4, 5}, {6, 7}, {7, 8}]
SINGLE = [{position} for position in range(9)]
SLOTS = {
    "KSS4 P4": KSS4,
    "KSS2 P6": KSS2,
    "PSD1_P16": [set(range(9)), *(SINGLE[i % 9] for i in range(15))],
}


def closed_form(shape, slots):
    """Layout of a periodic layer from the slot rule alone, without a mask."""
    m, c = shape[:2]
    counts = kernels_per_slot(m, c, len(slots))
    sizes = {len(slot) for slot in slots}
    return WeightLayout(
        shape,
        nonzeros=sum(int(n) * len(slot) for n, slot in zip(counts, slots, strict=True)),
        period=len(slots),
        distinct_patterns=len({frozenset(slot) for slot in slots}),
        uniform_count=sizes.pop() if len(sizes) == 1 else None,
    )


def mask_of(shape, slots):
    """The same layer, kernel by kernel."""
    mask = np.zeros((*shape[:2], 9), dtype=bool)
    for f in range(shape[0]):
        for c in range(shape[1]):
            mask[f, c, list(slots[(f + c + 1) % len(slots)])] = True
    return mask.reshape(shape)


COLUMNS = [
    "dense",
    "csr:index=32,pointer=32",
    "csr",
    "index:counts=free",
    "bitmap",
    "pattern:dictionary=free",
    "periodic",
]

TABLE = [
    ("ResNet18 C10", "KSS4 P4", 32, "44.66 39.79 27.91 22.69 21.62 20.55 20.25"),
    ("ResNet18 C10", "KSS4 P4", 8, "11.16 24.61 12.72 7.50 6.43 5.37 5.06"),
    ("ResNet18 C10", "KSS2 P6", 8, "11.16 12.40 6.45 3.84 3.99 3.08 2.62"),
    ("ResNet18 C10", "PSD1_P16", 32, "44.66 15.38 10.92 8.95 9.41 8.65 8.04"),
    ("ResNet18 C10", "PSD1_P16", 8, "11.16 9.35 4.89 2.93 3.38 2.62 2.01"),
    ("VGG16 C10", "KSS4 P4", 32, "58.86 52.34 36.61 29.44 28.01 26.58 26.18"),
    ("VGG16 Tiny", "PSD1_P16", 32, "60.48 21.27 15.37 12.68 13.29 12.27 11.45"),
    ("VGG16 Tiny", "PSD1_P16", 8, "15.12 12.69 6.78 4.09 4.70 3.68 2.86"),
]


def megabytes(text, net, config, bits):
    sparse, dense = NETS[net]
    fmt = get_format(text)
    layers = sum(fmt.layer_bits(closed_form(shape, SLOTS[config]), bits).total_bits for shape in sparse)
    return Fraction(layers + dense * bits, 8 * 10**6)


@pytest.mark.parametrize(("net", "config", "bits", "row"), TABLE)
@pytest.mark.parametrize("column", range(7))
def test_table(net, config, bits, row, column):
    assert f"{float(megabytes(COLUMNS[column], net, config, bits)):.2f}" == row.split()[column]


def test_equal_kernels_need_no_count_convention():
    for config in ("KSS4 P4", "KSS2 P6"):
        charged, free = (megabytes(t, "ResNet18 C10", config, 8) for t in ("index", "index:counts=free"))
        assert charged == free


def test_counts_charged_where_they_are_information():
    sparse, _ = NETS["VGG16 Tiny"]
    kernels = sum(m * c for m, c, _, _ in sparse)
    charged, free = (megabytes(t, "VGG16 Tiny", "PSD1_P16", 8) for t in ("index", "index:counts=free"))
    assert charged - free == Fraction(4 * kernels, 8 * 10**6)


def test_dictionary_charged():
    layers = len(NETS["VGG16 C10"][0])
    charged, free = (megabytes(t, "VGG16 C10", "PSD1_P16", 8) for t in ("pattern", "pattern:dictionary=free"))
    assert charged - free == Fraction(layers * 10 * 9, 8 * 10**6)


def test_csr_is_larger_than_dense_at_kss4_with_8_bits_and_periodic_is_not():
    dense, csr, periodic = (
        megabytes(t, "ResNet18 C10", "KSS4 P4", 8) for t in ("dense", "csr:index=32,pointer=32", "periodic")
    )
    assert csr > dense > periodic
    assert megabytes("csr", "ResNet18 C10", "KSS4 P4", 8) > dense


@pytest.mark.parametrize("config", list(SLOTS))
@pytest.mark.parametrize("shape", [(17, 20, 3, 3), (64, 64, 3, 3), (31, 16, 3, 3)])
def test_closed_form_is_the_layout_of_the_mask(config, shape):
    assert closed_form(shape, SLOTS[config]) == layout_of(mask_of(shape, SLOTS[config]))


@pytest.mark.parametrize("text", [*COLUMNS, "index", "pattern"])
@pytest.mark.parametrize("config", list(SLOTS))
@pytest.mark.parametrize("shape", [(17, 20, 3, 3), (16, 32, 3, 3)])
def test_real_bytes(text, config, shape):
    fmt, mask = get_format(text), mask_of(shape, SLOTS[config])
    values = np.where(mask, np.random.default_rng(1).integers(-128, 128, shape), 0)
    encoded = fmt.encode(values, 8, mask)  # a weight that is zero by chance is stored too
    assert encoded.payload_bits == fmt.layer_bits(closed_form(shape, SLOTS[config]), 8).total_bits
    assert len(encoded.data) == -(-(encoded.header_bits + encoded.payload_bits) // 8)
    np.testing.assert_array_equal(fmt.decode(encoded.data), values)
