"""Traffic against the size of the buffer."""

from __future__ import annotations

import pytest
from support import toy_graph

import energysim as es
from energysim.curves import BufferPoint, LargerPoint, buffer_curve, curve_frame, resized
from energysim.errors import UnknownNameError, UsageError
from energysim.hardware import load_hardware

KIB = 8192


def test_more_buffer_never_moves_more() -> None:
    points = buffer_curve("resnet18-cifar10", "dense,psconv", "teaching", [4 * KIB, 16 * KIB, 256 * KIB])
    assert [p.scheme for p in points] == ["dense"] * 3 + ["psconv:PSD4_P8"] * 3
    for scheme in ("dense", "psconv:PSD4_P8"):
        mine = [p for p in points if p.scheme == scheme]
        traffic, bounds = [p.dram_bits or 0 for p in mine], [p.dram_bound_bits or 0 for p in mine]
        assert traffic == sorted(traffic, reverse=True) and traffic[0] > traffic[-1]
        assert bounds == sorted(bounds, reverse=True)
        assert all(p.compulsory_bits <= b <= t for p, b, t in zip(mine, bounds, traffic, strict=True))


def test_a_point_is_the_estimate_at_that_size() -> None:
    (point,) = buffer_curve("vgg16", "psconv", "edge45", [64 * KIB], layer="features.conv3_2")
    report = es.estimate("vgg16", "psconv", resized(load_hardware("edge45"), 64 * KIB), objective="dram")
    frame = report.per_layer()
    assert point.dram_bits == frame.loc["features.conv3_2", "dram_bits"]
    assert point.dram_bound_bits == frame.loc["features.conv3_2", "dram_bound_bits"]


def test_the_larger_space_beside_it() -> None:
    sizes = [16 * KIB]
    plain = buffer_curve("vgg16-cifar10", "dense,psconv", "teaching", sizes)
    points = buffer_curve("vgg16-cifar10", "dense,psconv", "teaching", sizes, larger=True)
    asked = buffer_curve("vgg16-cifar10", "dense,psconv", "teaching", sizes, rules="larger")
    for one, mine, other in zip(plain, points, asked, strict=True):
        assert isinstance(mine, LargerPoint) and not isinstance(one, LargerPoint)
        assert BufferPoint(**{name: getattr(mine, name) for name in vars(one)}) == one
        assert mine.larger_dram_bits == other.dram_bits
        assert mine.dram_bound_bits <= mine.larger_dram_bits <= mine.dram_bits  # type: ignore[operator]
    assert any(mine.larger_dram_bits < mine.dram_bits for mine in points)  # type: ignore
    frame, known = curve_frame(points), curve_frame(plain)
    assert list(frame.columns) == [*known.columns, "larger_dram_bits", "larger_over_bound"]
    assert frame[known.columns.tolist()].equals(known)


def test_where_only_the_larger_space_has_a_mapping() -> None:
    # 3 x 3 windows: a tile needs 9 weights, 9 inputs and a sum; a sweep 9 weights, an input, three sums.
    words = [13, 12]
    sizes = [8 * size for size in words]
    fits, short = reversed(
        buffer_curve(toy_graph(), "dense", "teaching", sizes, larger=True, bits="w=8,a=8,acc=8")
    )
    assert isinstance(fits, LargerPoint) and isinstance(short, LargerPoint)
    assert fits.dram_bits is None and fits.larger_dram_bits is not None
    assert fits.dram_bound_bits is not None and fits.dram_bound_bits <= fits.larger_dram_bits
    assert (short.dram_bits, short.larger_dram_bits) == (None, None)


def test_where_nothing_fits() -> None:
    small, large = buffer_curve(toy_graph(), "dense", "teaching", [40, 1 << 20])
    assert (small.dram_bits, small.dram_bound_bits) == (None, None)
    assert large.dram_bits == large.compulsory_bits
    frame = curve_frame([small, large])
    assert frame["dram_bits"].isna().tolist() == [True, False]
    assert frame["dram_over_bound"].iloc[1] == 1.0


def test_split_buffers_keep_their_shares() -> None:
    spec = load_hardware("edge45")
    assert resized(spec, 1000).buffer.capacity_bits == 1000


def test_messages() -> None:
    with pytest.raises(UnknownNameError, match=r"conv3_9.*did you mean 'features\.conv3_"):
        buffer_curve("vgg16", "dense", "edge45", [KIB], layer="features.conv3_9")
    with pytest.raises(UsageError, match="each 1 bit or more"):
        buffer_curve("vgg16", "dense", "edge45", [])
