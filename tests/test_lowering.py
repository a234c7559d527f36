"""Lowering memory: the size log of the authors of CPO, sizes counted from masks, and the options."""

from __future__ import annotations

import csv
from fractions import Fraction
from itertools import pairwise, product
from pathlib import Path

import numpy as np
import pytest

from energysim.errors import DensityError, UsageError
from energysim.graph import GraphBuilder, LayerGraph
from energysim.lowering import (
    STORAGES,
    LayerFootprint,
    LoweredMap,
    Size,
    footprint,
    footprint_records,
    read_footprint_widths,
)
from energysim.windows import Axis

#: github.com/HossamAmer12/SPMv-trials, commit 6992d69, space_csr_log.txt: sizes in words of 64 bits,
#: stride 1, no padding; long numbers to six digits.
LOG = Path(__file__).parent / "data" / "lowering_log.csv"


def one_map(window: tuple[int, int], size: tuple[int, int], density: Fraction, **more: int) -> LoweredMap:
    stride, before = more.get("stride", 1), more.get("padding", 0)
    rows, cols = (
        Axis((n + 2 * before - w) // stride + 1, n, w, stride, 1, before)
        for n, w in zip(size, window, strict=True)
    )
    return LoweredMap(1, rows, cols, size[0] + 2 * before, density)


def words(storage: str, given: LoweredMap) -> int:
    size = STORAGES[storage](given)
    assert size is not None
    return size.words


def logged() -> list[dict[str, str]]:
    with LOG.open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_the_whole_size_log() -> None:
    """All 140 rows: im2col and CPO in each; CSCC where its size does not depend on the places."""
    rows = logged()
    assert len(rows) == 140
    for row in rows:
        window = tuple(map(int, row["window"].split("x")))
        size = tuple(map(int, row["map"].split("x")))
        cells = size[0] * size[1]
        nonzeros = round(float(row["density"]) * cells)
        given = one_map((window[0], window[1]), (size[0], size[1]), Fraction(nonzeros, cells))
        assert f"{nonzeros / cells:.6g}" == row["density"]
        assert f"{64 * words('im2col', given):.6g}" == f"{float(row['im2col_bits']):.6g}"
        assert 64 * words("cpo", given) == int(row["cpo_bits"])
        if row["density"] == "1" or window[1] == 1:
            assert f"{64 * words('cscc', given):.6g}" == f"{float(row['csr_bits']):.6g}"


@pytest.mark.parametrize(
    ("window", "size", "expected"),
    [
        ((3, 3), (8, 8), (324, 144, 295, 145, 113)),
        ((3, 3), (17, 17), (2025, 765, 1546, 613, 477)),
        ((3, 3), (50, 50), (20736, 7200, 14449, 5101, 3901)),
        ((1, 7), (17, 17), (1309, 1309, 2630, 653, 517)),
        ((7, 1), (17, 17), (1309, 289, 596, 596, 460)),
    ],
)
def test_dense_maps(window, size, expected) -> None:
    given = one_map(window, size, Fraction(1))
    assert tuple(words(storage, given) for storage in ("im2col", "mec", "cscc", "cpo", "cps")) == expected


def test_the_toy_of_mec() -> None:
    """Cho and Brand, ICML 2017: 7x7 input, 3x3 kernel: 225 against 105."""
    given = one_map((3, 3), (7, 7), Fraction(1))
    assert (words("im2col", given), words("mec", given)) == (225, 105)


@pytest.mark.parametrize(
    ("size", "channels", "window", "stride", "expected"),
    [
        (227, 3, 11, 4, (1098075, 412005)),
        (224, 64, 7, 2, (37258816, 10938368)),
        (24, 96, 5, 1, (960000, 230400)),
        (12, 256, 3, 1, (230400, 92160)),
        (112, 64, 3, 1, (6969600, 2365440)),
        (7, 512, 3, 1, (115200, 53760)),
    ],
)
def test_layers_of_the_mec_benchmark(size, channels, window, stride, expected) -> None:
    b = GraphBuilder("one", input=(channels, size, size))
    ((layer,), _) = footprint(b.build(b.conv(b.input, 2, window, stride=stride)), 1)
    sizes = [layer.sizes[name] for name in ("im2col", "mec")]
    assert tuple(size.words for size in sizes if size is not None) == expected


def counted(mask: np.ndarray, given: LoweredMap) -> dict[str, int]:
    """CSCC, CPO and CPS of one map, by walking over windows and cells."""
    height, width = mask.shape
    q, s, t, before = given.cols.outputs, given.cols.window, given.cols.stride, given.cols.before
    copies, fullest = 0, 0
    for column in range(width + 2 * before):
        sharing = [o for o in range(q) if o * t <= column < o * t + s]
        fullest = max(fullest, len(sharing))
        if before <= column < width + before:
            copies += len(sharing) * int(mask[:, column - before].sum())
    indices = 0
    for column in range(width):
        for top in range(0, height, 4):
            indices += min(2, int(mask[top : top + 4, column].sum()))
    patterns = -(-s // t)
    pointers = sum(min(3, q + 1) if patterns > 1 and p == 0 else q + 1 for p in range(patterns))
    assert fullest <= patterns
    nonzeros = int(mask.sum())
    return {
        "cscc": 2 * copies + q + 1,
        "cpo": 2 * nonzeros + pointers,
        "cps": nonzeros + indices + pointers,
    }


@pytest.mark.parametrize(
    ("window", "size", "more"),
    [
        ((2, 2), (3, 3), {}),
        ((2, 3), (5, 3), {}),
        ((2, 2), (2, 5), {"stride": 2}),
        ((3, 3), (3, 3), {"padding": 1}),
        ((2, 1), (6, 2), {}),
    ],
)
@pytest.mark.parametrize("density", [Fraction(3, 10), Fraction(1), Fraction(0)])
def test_expected_sizes_are_means_over_all_masks(window, size, more, density) -> None:
    """Each mask of a small map weighted with its probability: exact."""
    given = one_map(window, size, density, **more)
    sums = dict.fromkeys(("cscc", "cpo", "cps"), Fraction(0))
    cells = size[0] * size[1]
    for bits in product((0, 1), repeat=cells):
        share = density ** sum(bits) * (1 - density) ** (cells - sum(bits))
        if share:
            for name, count in counted(np.array(bits).reshape(size), given).items():
                sums[name] += share * count
    for name, mean in sums.items():
        size_ = STORAGES[name](given)
        assert size_ is not None
        assert size_.values + size_.indices + size_.pointers == mean


def test_more_zeros_never_take_more() -> None:
    found = [
        [words(name, one_map((3, 3), (14, 14), Fraction(d, 20))) for name in STORAGES] for d in range(21)
    ]
    assert all(a <= b for low, high in pairwise(found) for a, b in zip(low, high, strict=True))


def small() -> LayerGraph:
    b = GraphBuilder("small", input=(3, 9, 8))
    x = b.relu(b.conv(b.input, 6, 3, padding=1, name="a"), name="a_relu")
    return b.build(b.conv(x, 4, 3, dilation=2, padding=2, name="b"))


def test_layers_of_a_network() -> None:
    layers, left = footprint(small(), Fraction(1, 4), batch=2)
    assert [(each.layer, each.density) for each in layers] == [("a", 1), ("b", Fraction(1, 4))]
    assert left == ()
    first, second = (each.sizes for each in layers)
    assert first["im2col"] == Size(Fraction(2 * 3 * 9 * 8 * 9))
    assert first["mec"] == Size(Fraction(2 * 3 * 8 * 11 * 3))
    assert second["cpo"] is None and second["cps"] is None
    # 8 columns, taps 2 apart, 2 of padding: 6 + 8 + 6 pairs of window and column.
    assert second["cscc"] == Size(Fraction(12 * 9 * 20, 4), Fraction(12 * 9 * 20, 4), 12 * 9)


def test_zeros_by_tensor() -> None:
    ((_, layer), _) = footprint(small(), activations={"a_relu": 0.9})
    assert layer.density == Fraction(1, 10)


def test_records_in_words_and_bits() -> None:
    size = Size(Fraction(21, 2), Fraction(21, 2), 5)
    layer = LayerFootprint("x", (1, 1, 4, 4), (3, 3), (1, 1), Fraction(1, 2), {"cpo": size, "cps": None})
    (record,) = footprint_records((layer,), {"value": 8, "index": 16, "pointer": 32})
    assert record["cpo_words"] == 26
    assert record["cpo_bits"] == 84 + 168 + 160
    assert (record["cps_words"], record["cps_bits"], record["smallest"]) == (None, None, "cpo")


def test_widths() -> None:
    assert read_footprint_widths("64") == {"value": 64, "index": 64, "pointer": 64}
    assert read_footprint_widths("value=4, pointer=10") == {"value": 4, "index": 16, "pointer": 10}
    for text, message in (
        ("index=0", "index is a whole number of bits from 1 to 64, not '0'"),
        ("x", "not 'x'"),
        ("value=8,value=8", "value is given twice"),
        ("indx=8", "unknown 'indx'; did you mean 'index'?"),
    ):
        with pytest.raises(UsageError) as caught:
            read_footprint_widths(text)
        assert message in str(caught.value)


@pytest.mark.parametrize("density", [-0.1, 1.0001, "1/3", "many", float("nan"), True, ""])
def test_densities_that_are_none(density) -> None:
    with pytest.raises(DensityError, match="a density is a number from 0 to 1, not"):
        footprint(small(), density)


def test_networks_without_convolutions() -> None:
    b = GraphBuilder("flat", input=(3, 4, 4))
    with pytest.raises(UsageError, match="'flat' has no convolution"):
        footprint(b.build(b.linear(b.flatten(b.input), 5)), 0.5)
    with pytest.raises(UsageError, match="either a density"):
        footprint(small())
