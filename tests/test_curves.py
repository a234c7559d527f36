"""Traffic against the size of the buffer."""

from __future__ import annotations

import pytest
from support import toy_graph

import energysim as es
from energysim.curves import buffer_curve, curve_frame, resized
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
