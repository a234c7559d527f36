"""Networks off the beaten track: each runs in its compact form, in floats and in integers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from energysim.errors import UsageError
from energysim.graph import GraphBuilder, LayerGraph
from energysim.kernels import PeriodicKernel
from energysim.validate import validate

SCHEMES = "psconv:windows=all,psconv:PS1_P9,windows=all,psc:kss=2,windows=all"


def head(b: GraphBuilder, x: str) -> LayerGraph:
    return b.build(b.linear(b.flatten(b.global_pool(x)), 7, name="fc"))


def rectangular() -> LayerGraph:
    """Windows, strides, paddings and dilations that differ by axis; no period divides the channels."""
    b = GraphBuilder("rectangular", (3, 13, 17))
    x = b.relu(b.conv(b.input, 10, (3, 5), stride=(2, 1), padding=(1, 2)))
    x = b.relu(b.batch_norm(b.conv(x, 11, (5, 1), stride=(1, 2), padding=(2, 0))))
    x = b.relu(b.conv(x, 13, (1, 7), padding=(0, 3)))
    x = b.relu(b.conv(x, 9, (7, 2), padding=(3, 1), dilation=(1, 3)))
    return head(b, b.relu(b.conv(x, 5, (7, 7), padding=3)))


def branches() -> LayerGraph:
    """Groups, depthwise, dilation, a sum, a concatenation and a shuffle."""
    b = GraphBuilder("branches", (6, 12, 12))
    x = b.relu(b.conv(b.input, 12, 3, padding=1, groups=3))
    x = b.relu(b.conv(x, 18, 3, padding=1, groups=6))
    x = b.relu(b.conv(x, 18, 3, padding=1, groups=18, stride=2))
    y = b.relu(b.conv(x, 18, 3, padding=2, dilation=2, groups=2))
    z = b.conv(x, 18, 1, groups=2)
    return head(b, b.channel_shuffle(b.concat(b.add(y, z), x), 4))


def pixel() -> LayerGraph:
    """One pixel: eight of nine taps lie on padding."""
    b = GraphBuilder("pixel", (4, 1, 1))
    x = b.relu(b.conv(b.input, 8, 3, padding=1))
    return head(b, b.relu(b.conv(b.relu(b.conv(x, 8, 3, padding=1)), 8, 1)))


def two_outputs() -> LayerGraph:
    """Two maps and no classes; one of them is read on."""
    b = GraphBuilder("two", (4, 6, 6))
    x = b.relu(b.conv(b.input, 8, 3, padding=1))
    return b.build(b.conv(x, 8, 3, padding=1, stride=2), x)


def upwards() -> LayerGraph:
    """A transposed convolution, and a name that tables could trip over."""
    b = GraphBuilder("up|*", (3, 15, 9))
    x = b.relu(b.conv(b.input, 8, 3, padding=1, name="a|b*é"))
    x = b.relu(b.conv(x, 8, 3, padding=1, stride=2))
    return b.build(b.conv_transpose(x, 4, 3, stride=2, padding=1, output_padding=1))


@pytest.mark.parametrize("build", [rectangular, branches, pixel, two_outputs, upwards])
@pytest.mark.parametrize("mode", ["float32", "int8", "int16"])
def test_odd_networks(build: Callable[[], LayerGraph], mode: str) -> None:
    graph = build()
    found = validate(graph, SCHEMES, mode=mode, inputs=8)
    assert found.passed, found.problems
    macs = [scheme.macs for scheme in found.schemes]
    assert max(macs[1:]) < macs[0]
    if mode != "float32":
        assert not any(row.differing for scheme in found.schemes for row in scheme.layers)


@pytest.mark.parametrize("mode", ["float32", "int8", "int16"])
@pytest.mark.parametrize("sequence", [False, True])
def test_sparse_linear_layers(mode: str, sequence: bool) -> None:
    """Periods along both axes, a feature that nobody reads, on (N, F) and on (N, L, F)."""
    b = GraphBuilder("linear", (3, 8, 8))
    x = b.relu(b.conv(b.input, 8, 3, padding=1))
    x = b.permute(b.reshape(x, (8, 64)), (0, 2, 1)) if sequence else b.flatten(b.global_pool(x))
    graph = b.build(b.linear(b.relu(b.linear(x, 12, name="sparse")), 10))
    kernel = PeriodicKernel((12, 8, 1, 1), ((0,), (), (0,)))
    sparse = graph.with_operators({"sparse": replace(graph.node("sparse").op, kernel=kernel)})
    found = validate(sparse, "dense", mode=mode, inputs=3)
    assert found.passed, found.problems
    row = next(row for row in found.schemes[0].layers if row.node == "sparse")
    assert row.executed_macs == kernel.nonzeros * (64 if sequence else 1) == 64 * (64 if sequence else 1)
    assert row.format == "periodic"


def test_a_network_that_multiplies_nothing_is_no_success() -> None:
    b = GraphBuilder("idle", (4, 4, 4))
    with pytest.raises(UsageError, match="'idle' has no layer that multiplies: there is nothing"):
        validate(b.build(b.relu(b.input)))


def test_a_scheme_that_changes_nothing_is_told() -> None:
    b = GraphBuilder("points", (4, 4, 4))
    graph = head(b, b.relu(b.conv(b.conv(b.input, 4, 1), 4, 1)))
    text = validate(graph, "psconv", inputs=2).render()
    assert "psconv:PSD4_P8 leaves every layer dense: nothing sparse was run" in text
    assert "dense leaves" not in text
