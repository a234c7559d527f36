"""nm, block and unstructured: the unit table, which weights are kept, identity settings, messages."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from schemes_family import LAYER, NETS, Unit, net, never_more, same_cost, unit

from energysim.errors import SchemeError, WeightsError
from energysim.formats import decode, get_format
from energysim.kernels import StoredKernel
from energysim.schemes import parse_scheme
from energysim.walker import estimate

# 3x3, 28x28, no bias: 64 -> 128 and 128 -> 128. 2:4: half of all, two bits a kept weight. Blocks: 50 % of
# 8 x 4 x 9 (8 x 8 x 9) blocks of 256 weights, a bit each.
UNITS = [
    ("dense", None),
    ("nm:2:4", (28_901_376, 36_864, 73_728, 57_802_752, 73_728, 147_456)),
    ("nm:1:4", (14_450_688, 18_432, 36_864, 28_901_376, 36_864, 73_728)),
    ("nm:4:8,order=tap-channel", (28_901_376, 36_864, 110_592, 57_802_752, 73_728, 221_184)),
    ("block:16x16,density=0.5", (28_901_376, 36_864, 288, 57_802_752, 73_728, 576)),
    ("unstructured:density=1/4", (14_450_688, 18_432, 73_728, 28_901_376, 36_864, 147_456)),
    ("shift:map=stored", (6_422_528, 8_192, 256, 12_845_056, 16_384, 512)),
]


@pytest.mark.parametrize(("scheme", "row"), [(s, r) for s, r in UNITS if r])
def test_unit_table(scheme, row):
    assert unit(scheme, 64, 128) == Unit(*row[:2], row[2])
    assert unit(scheme, 128, 128) == Unit(*row[3:5], row[5])


def kernel(scheme, graph):
    return parse_scheme(scheme).apply(graph).graph.node(LAYER).op.kernel


@pytest.mark.parametrize("order", ["channels", "filters", "channel-tap", "tap-channel"])
def test_every_group_keeps_n(order):
    mask = kernel(f"nm:3:4,order={order}", net(12, 8)).mask()
    assert mask.shape == (8, 12, 3, 3)
    lines = {
        "channels": mask.transpose(0, 2, 3, 1),
        "filters": mask.transpose(1, 2, 3, 0),
        "channel-tap": mask.reshape(8, 108),
        "tap-channel": mask.transpose(0, 2, 3, 1).reshape(8, 108),
    }[order]
    assert (lines.reshape(-1, 4).sum(axis=1) == 3).all()


def test_groups_that_do_not_divide():
    left = {e.node: e.reason for e in parse_scheme("nm:2:4").apply(net(13, 20)).left}
    assert left[LAYER] == "groups of 4 do not divide 13 consecutive input channels"
    left = {e.node: e.reason for e in parse_scheme("nm:2:7,order=channel-tap").apply(net(13, 20)).left}
    assert left[LAYER] == "groups of 7 do not divide 117 consecutive weights"


@pytest.mark.parametrize("taps", ["one", "all"])
def test_blocks_are_whole(taps):
    found = kernel(f"block:5x3,density=0.4,taps={taps}", net(13, 20))
    blocks = found.mask().reshape(20, 13, 9)
    kept = 0
    for top in range(0, 20, 5):
        for left in range(0, 13, 3):
            part = blocks[top : top + 5, left : left + 3]
            pieces = [part[:, :, tap] for tap in range(9)] if taps == "one" else [part]
            for piece in pieces:
                assert piece.all() or not piece.any()
                kept += bool(piece.all())
    total = 4 * 5 * (9 if taps == "one" else 1)
    assert kept == int(total * 0.4)


def test_balance():
    found = kernel("unstructured:density=0.3,balance=4", net(13, 20)).mask()
    assert [int(part.sum()) for part in np.split(found, 5)] == [140] * 5  # floor(0.3 * 4 * 13 * 9)
    free = kernel("unstructured:density=0.3", net(13, 20)).mask()
    assert int(free.sum()) == 702


def test_magnitude_keeps_the_largest():
    graph = net(8, 8)
    weight = np.random.default_rng(2).standard_normal((8, 8, 3, 3))
    weights = {f"{name}.weight": weight for name in (LAYER, "last")}
    weights["last.weight"] = np.ones((9, 8, 3, 3))
    for text in ("unstructured:density=0.25,by=magnitude", "nm:1:4,by=magnitude", "block:4x4,by=magnitude"):
        scheme = parse_scheme(text)
        assert scheme.wants_weights
        mask = scheme.with_weights(weights, lambda _: 8).apply(graph).graph.node(LAYER).op.kernel.mask()
        size = np.abs(weight)
        if text.startswith("unstructured"):
            assert size[mask].min() > size[~mask].max()
        elif text.startswith("nm"):
            groups = size.reshape(8, 2, 4, 3, 3)
            assert (mask.reshape(8, 2, 4, 3, 3) == (groups == groups.max(axis=2, keepdims=True))).all()
        else:
            means = size.reshape(2, 4, 2, 4, 9).mean(axis=(1, 3))
            kept = mask.reshape(2, 4, 2, 4, 9).any(axis=(1, 3))
            assert means[kept].min() > means[~kept].max()


def test_magnitude_without_weights():
    graph = net(8, 8)
    with pytest.raises(SchemeError, match="looks at weights"):
        parse_scheme("nm:2:4,by=magnitude").apply(graph)
    with pytest.raises(WeightsError, match=r"layer 'layer': there is no array 'layer\.weight'"):
        parse_scheme("nm:2:4,by=magnitude").with_weights({}, lambda _: 8).apply(graph)


def test_linear_layers_by_wish():
    graph = net(16, 16)
    assert "fc" not in parse_scheme("unstructured:density=0.5").apply(graph).changed
    assert "fc" in parse_scheme("unstructured:density=0.5,layers=all").apply(graph).changed
    dense = estimate(graph, "unstructured:density=0.5,layers=all").totals(part="linear")
    assert dense.macs == 18  # floor of half of 9 x 4


IDENTITIES = ["nm:4:4", "block:4x4,density=1", "unstructured:density=1", "unstructured:density=1,balance=3"]


@pytest.mark.parametrize("scheme", IDENTITIES)
@pytest.mark.parametrize("graph", NETS[:4], ids=lambda g: g.name)
def test_identity_settings_cost_exactly_dense(scheme, graph):
    same_cost(scheme, graph)


def test_more_compression_never_costs_more_weight_bits():
    for graph in NETS[:4]:
        never_more([f"unstructured:density={d}" for d in ("0.9", "0.6", "0.3", "0.01")], graph)
        never_more([f"block:4x4,density={d}" for d in ("0.9", "0.6", "0.3", "0.01")], graph)
    never_more([f"nm:{n}:8" for n in (4, 3, 2, 1)], NETS[0])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("nm", "scheme 'nm' is written nm:2:4"),
        ("nm:2", "scheme 'nm' is written nm:2:4"),
        ("nm:4:2", "nm:4:2 would keep 4 of 2 weights"),
        ("nm:0:4", "N of scheme 'nm' is a whole number from 1 to 64, not 0"),
        ("nm:2:4,order=chanels", "did you mean 'channels'?"),
        ("block:16", "scheme 'block' is written block:16x16,density=0.5"),
        ("block:16x16,density=0", "density of scheme 'block' is above 0 and at most 1, not 0"),
        ("block:0x16", "rows of scheme 'block' is a whole number from 1 to 4096, not 0"),
        ("unstructured:density=1.5", "density of scheme 'unstructured' is above 0 and at most 1, not 1.5"),
        ("unstructured:density=half", "density of scheme 'unstructured' is a number such as 0.25 or 1/4"),
        ("unstructured:by=magnitude,seed=1", "by=magnitude draws nothing, so it has no seed"),
        ("unstructured:layers=fc", "layers of scheme 'unstructured' is conv or all"),
    ],
)
def test_messages(text, message):
    with pytest.raises(SchemeError) as caught:
        parse_scheme(text)
    assert message in str(caught.value)


def test_texts():
    for text in ("nm:2:4", "nm:2:4,order=filters,seed=3", "block:8x4,density=1/3,taps=all"):
        assert str(parse_scheme(text)) == text
    assert parse_scheme("unstructured:density=1/4") == parse_scheme("unstructured:density=0.250")
    assert parse_scheme("unstructured:density=.25").density == Fraction(1, 4)


@pytest.mark.parametrize("scheme", ["nm:2:4", "nm:2:8,order=tap-channel", "block:5x3,density=0.4"])
def test_stored_kernels_come_back_from_their_bytes(scheme):
    found = kernel(scheme, NETS[0])
    assert isinstance(found, StoredKernel)
    values = np.where(found.mask(), np.random.default_rng(4).integers(-128, 128, found.shape), 0)
    encoded = get_format(found.storage).encode(values, 8, found.mask())
    assert np.array_equal(decode(encoded.data), values)
    assert encoded.payload_bits == get_format(found.storage).size_bits(found.mask(), 8).total_bits
