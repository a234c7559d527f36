"""Split and join: counts that scale with the square of what is left, channels that pass, traffic."""

from __future__ import annotations

import numpy as np
import pytest
from schemes_family import LAYER, Unit, net, never_more, same_cost, unit

from energysim.errors import SchemeError
from energysim.graph import LayerGraph
from energysim.inference import plan
from energysim.schemes import parse_scheme
from energysim.walker import estimate


@pytest.mark.parametrize(("share", "left"), [("0.5", 64), ("0.25", 96), ("0.75", 32)])
def test_counts_scale_with_the_square_of_what_is_left(share, left):
    assert unit(f"split:share={share}", 128, 128) == Unit(left * left * 9 * 784, left * left * 9, 0)


def test_the_number_that_passes_is_rounded_down():
    graph = parse_scheme("split:share=1/3").apply(net(20, 20)).graph
    assert graph.node(f"{LAYER}.split").op.sizes == (6, 14)


def test_channels_pass_untouched():
    graph = net(16, 16, size=(6, 5))
    rewrite = parse_scheme("split").apply(graph, [LAYER])
    rng = np.random.default_rng(2)
    weights = {n: rng.standard_normal(s).astype(np.float32) for n, s in rewrite.graph.parameters().items()}
    image = rng.standard_normal((2, 3, 6, 5)).astype(np.float32)
    traced = {name: np.array(out[0]) for name, out in plan(rewrite.graph, weights).trace(image)}
    assert np.array_equal(traced[LAYER][:, :8], traced["relu1"][:, :8])
    assert not np.array_equal(traced[LAYER][:, 8:], traced["relu1"][:, 8:])


def test_traffic():
    """Input and output once when fused; unfused what the smaller layer makes is moved twice more."""
    graph = net(64, 64, size=(28, 28), bias=False)
    report = estimate(graph, f"{LAYER}=split")
    rows = {row.node: row for row in report.runs[-1].layers if row.origin == LAYER}
    moved = [a for a in report.runs[-1].accesses if a.node in rows and a.level == "dram"]
    sums = {t: sum(a.bits for a in moved if a.tensor == t) for t in ("inputs", "weights", "outputs")}
    assert sums == {"inputs": 8 * 64 * 784, "weights": 8 * 32 * 32 * 9, "outputs": 8 * 64 * 784}
    unfused = sum(row.unfused_dram_bits for row in rows.values())
    # 32 channels are written by the layer and read again by what joins them.
    assert unfused - sum(sums.values()) == 2 * 8 * 32 * 784


def test_no_share_is_the_layer():
    same_cost("split:share=0", net(16, 16))
    never_more([f"split:share={s}" for s in ("0", "0.2", "0.5", "0.9")], net(32, 32))


def test_what_is_left():
    def reason(graph: LayerGraph, scheme: str = "split") -> str:
        return {e.node: e.reason for e in parse_scheme(scheme).apply(graph).left}[LAYER]

    assert reason(net(12, 16)) == "16 filters for 12 channels: those that pass need as many"
    assert reason(net(16, 16, groups=2)) == "has 2 groups already"
    assert reason(net(16, 16, stride=(2, 1))) == "its output does not lie on its input pixel by pixel"
    assert reason(net(16, 16, padding=(0, 0, 0, 0))) == "its output does not lie on its input pixel by pixel"
    dilated = net(16, 16, dilation=(2, 1), padding=(1, 3, 1, 1))
    assert dilated.tensors[LAYER].shape[2:] == (9, 7)
    assert reason(dilated) == "its output does not lie on its input pixel by pixel"
    assert reason(net(3, 3), "split:share=0.2") == "no channel would pass"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("split:share=1", "share of scheme 'split' is 0 or more and below 1, not 1"),
        ("split:share=-0.5", "share of scheme 'split' is a number such as 0.25 or 1/4, not '-0.5'"),
        ("split:shrae=0.5", "scheme 'split' has no parameter 'shrae'; did you mean 'share'?"),
    ],
)
def test_messages(text, message):
    with pytest.raises(SchemeError) as caught:
        parse_scheme(text)
    assert message in str(caught.value)
