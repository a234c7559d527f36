"""1x1 + stencil: the unit rows, two convolutions added by hand, storage, what is left."""

from __future__ import annotations

import numpy as np
import pytest
from schemes_family import LAYER, NETS, Unit, net, never_more, same_cost, stored_bits, unit

from energysim.errors import FormatError, SchemeError
from energysim.formats import decode, get_format
from energysim.graph import Conv2d, Node
from energysim.inference.reference import run_operator
from energysim.schemes import parse_scheme
from energysim.schemes.lean import stencil_kernel
from energysim.walker import estimate


def test_unit_rows():
    assert unit("lean:groups=depthwise", 128, 128) == Unit(13_246_464, 16_896, 0)
    assert unit("lean", 128, 128) == Unit(13_246_464, 16_896, 0)
    assert unit("lean:groups=8", 64, 128) == Unit(9_633_792, 12_288, 0)
    assert unit("lean:groups=8", 128, 128) == Unit(19_267_584, 24_576, 0)


def test_rows_of_256_channels():
    """66,560 weights depthwise, 98,304 in 8 groups, of 589,824."""
    assert unit("lean", 256, 256).weights == 66_560
    assert unit("lean:groups=8", 256, 256).weights == 98_304
    assert unit("lean:groups=1", 256, 256).weights == 5 * 256 * 256


def test_the_depthwise_form_needs_as_many_filters_as_channels():
    left = {e.node: e.reason for e in parse_scheme("lean:groups=depthwise").apply(net(64, 128)).left}
    assert left[LAYER] == "128 filters for 64 channels: the depthwise form needs as many"


@pytest.mark.parametrize("stencil", ["cross", "full", "row", "column"])
@pytest.mark.parametrize("stride", [(1, 1), (2, 1), (2, 2)])
def test_equals_two_convolutions_added(stencil, stride):
    """P*x + G*x: a 1x1 convolution and one in 3 groups, each by itself."""
    rng = np.random.default_rng(4)
    kernel = stencil_kernel((9, 6, 3, 3), 3, stencil)
    weight = np.where(kernel.mask(), rng.standard_normal((9, 6, 3, 3)), 0)
    x = rng.standard_normal((2, 6, 8, 7))
    (found,) = _run(Conv2d(9, (3, 3), stride, (1, 1, 1, 1), bias=False), x, weight)
    (point,) = _run(Conv2d(9, (1, 1), stride, bias=False), x, weight[:, :, 1:2, 1:2])
    grouped = np.stack([weight[f, f // 3 * 2 : f // 3 * 2 + 2] for f in range(9)])
    grouped[:, :, 1, 1] = 0
    (beside,) = _run(Conv2d(9, (3, 3), stride, (1, 1, 1, 1), groups=3, bias=False), x, grouped)
    np.testing.assert_allclose(found, point + beside, atol=1e-12)
    taps = {"cross": 4, "full": 8, "row": 2, "column": 2}[stencil]
    assert kernel.nonzeros == 9 * 6 + taps * 9 * 6 // 3
    assert np.count_nonzero(grouped) == taps * 9 * 2


def _run(op, x, weight):
    return run_operator(Node("c", op, ("x",), ("c",)), (x,), {"weight": weight})


def test_no_tensor_between_the_parts():
    graph = net(32, 32, size=(8, 8))
    rewrite = parse_scheme("lean").apply(graph)
    assert not rewrite.internal
    assert len(rewrite.graph.nodes) == len(graph.nodes)


def test_more_groups_never_cost_more():
    graph = net(64, 64)
    never_more([f"lean:groups={g}" for g in (1, 2, 4, 8, 16, 32, 64)], graph)
    never_more(["lean:stencil=full", "lean", "lean:stencil=row"], graph)
    report = estimate(graph, "lean:groups=1,stencil=full")
    assert stored_bits(report, "lean:groups=1,stencil=full") == stored_bits(report, "dense")


def test_a_full_stencil_in_one_group_is_the_layer():
    same_cost("lean:groups=1,stencil=full", net(12, 10))


@pytest.mark.parametrize("graph", NETS, ids=lambda g: g.name)
def test_what_is_left_has_a_reason(graph):
    rewrite = parse_scheme("lean:groups=8").apply(graph)
    reasons = {e.node: e.reason for e in rewrite.left}
    shape = graph.parameters()[f"{LAYER}.weight"]
    groups = graph.node(LAYER).op.groups
    channels = shape[1] * groups
    applies = shape[2:] == (3, 3) and groups == 1 and channels % 8 == 0 and shape[0] % 8 == 0
    assert (LAYER not in reasons) == applies
    if shape[2:] == (3, 3) and groups == 1 and not applies:
        assert reasons[LAYER] == f"8 groups do not divide {channels} input and {shape[0]} output channels"


def test_storage_there_and_back():
    rng = np.random.default_rng(0)
    for stencil in ("cross", "full", "row", "column"):
        form = get_format(f"stencil:groups=2,stencil={stencil}")
        assert get_format(str(form)) == form
        mask = stencil_kernel((6, 4, 3, 3), 2, stencil).mask()
        values = np.where(mask, rng.integers(-100, 100, mask.shape), 0)
        made = form.encode(values, 8, mask)
        assert made.payload_bits == 8 * np.count_nonzero(mask)
        np.testing.assert_array_equal(decode(made.data), values)
        with pytest.raises(FormatError):
            decode(made.data[:-1])
    with pytest.raises(FormatError, match="does not hold exactly the stencils"):
        get_format("stencil:groups=2").encode(np.ones((4, 4, 3, 3), dtype=np.int64), 4)
    with pytest.raises(FormatError, match="3x3 windows of channels that its groups divide"):
        get_format("stencil:groups=3").encode(np.ones((4, 4, 3, 3), dtype=np.int64), 4)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("lean:groups=0", "groups of scheme 'lean' is a whole number from 1 to 65536, not 0"),
        ("lean:groups=dephtwise", "did you mean 'depthwise'?"),
        ("lean:stencil=cros", "stencil of scheme 'lean' is cross, full, row or column, not 'cros'; did you"),
        ("lean:group=8", "scheme 'lean' has no parameter 'group'; did you mean 'groups'?"),
    ],
)
def test_messages(text, message):
    with pytest.raises(SchemeError) as caught:
        parse_scheme(text)
    assert message in str(caught.value)


def test_strict_names_the_layer():
    with pytest.raises(
        SchemeError, match="layer 'layer': layer=lean:groups=8 leaves it as it is: 8 groups do not"
    ):
        estimate(net(12, 10), f"{LAYER}=lean:groups=8", strict=True)
