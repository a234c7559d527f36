"""csg: unit table, published sizes of CIFAR ResNets, generated kernels slice by slice, messages."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from published_networks import resnet_cifar_padded
from schemes_family import LAYER, NETS, Unit, net, never_more, unit

from energysim.errors import SchemeError
from energysim.schemes import derived_weights, equivalent_weights, parse_scheme, settled_weights
from energysim.walker import estimate


@pytest.mark.parametrize("expand", ["chip", "load"])
def test_unit_table(expand):
    scheme = f"csg:s=12,c=72,expand={expand}"
    shared = Fraction(93_312)
    assert unit(scheme, 64, 128) == Unit(57_802_752, 4_752, 0, expansion_macs=6_158_592, shared=shared)
    assert unit(scheme, 128, 128) == Unit(115_605_504, 8_712, 0, expansion_macs=11_290_752, shared=shared)


def test_a_binary_generator_has_a_bit_a_value():
    found = unit("csg:s=16,c=128,generator=binary", 128, 128)
    assert found == Unit(
        115_605_504, 64 * 128, 0, expansion_macs=64 * 128 * 2304, shared=Fraction(294_912, 8)
    )


@pytest.mark.parametrize(
    ("depth", "dense", "twelve", "sixteen"),
    [
        (20, 269_722, 115_426, 312_218),
        (56, 853_018, 160_450, 347_162),
        (110, 1_727_962, 227_986, 399_578),
    ],
)
def test_cifar_resnets(depth, dense, twelve, sixteen):
    """All parameters: convolutions, both of each batch norm, the linear layer with its bias."""
    graph = resnet_cifar_padded(depth)
    assert graph.parameter_count() == dense
    report = estimate(graph, ["dense", "csg:s=12,c=72", "csg:s=16,c=128"])
    plain, *sizes = (report.totals(name).stored_weight_bits // 8 for name in report.schemes)
    assert [dense - plain + size for size in sizes] == [twelve, sixteen]
    assert len({report.totals(name).macs for name in report.schemes}) == 1  # compute is never reduced


def test_at_most_18_times():
    """s*s*9/c of a layer whose slices are whole."""
    found = unit("csg:s=12,c=72", 144, 144)
    assert 144 * 144 * 9 / found.weights == 18


def test_kernels_are_made_of_slices():
    """Every slice, cut or whole, is the generator's rows for it times some codes; 13 = 4 + 4 + 4 + 1."""
    graph = net(13, 18, groups=1)
    scheme = parse_scheme(f"{LAYER}=csg:s=4,c=6")
    rewrite = scheme.apply(graph)
    rng = np.random.default_rng(3)
    dense = {name: rng.standard_normal(shape) for name, shape in graph.parameters().items()}
    weight = derived_weights(rewrite, dense)[f"{LAYER}.weight"]
    whole = [weight[o : o + 4, i : i + 4].reshape(-1) for o in range(0, 16, 4) for i in range(0, 12, 4)]
    assert np.linalg.matrix_rank(np.array(whole)) == 6
    assert np.linalg.matrix_rank(np.array(whole + [w + rng.standard_normal(144) for w in whole])) > 6
    cut = weight[16:18, 12:13].reshape(-1)
    corner = np.array([w.reshape(4, 4, 9)[:2, :1].reshape(-1) for w in whole])
    assert np.linalg.matrix_rank(np.vstack([corner, cut])) == np.linalg.matrix_rank(corner) == 6
    (recipe,) = rewrite.steps[0]
    (codes,) = recipe.written({"weight": weight})
    assert codes.values.shape == (6, 5 * 4)
    again = settled_weights(rewrite, {**dense, f"{LAYER}.weight": weight})[f"{LAYER}.weight"]
    np.testing.assert_allclose(again, weight, rtol=0, atol=1e-10)
    assert equivalent_weights(rewrite, {f"{LAYER}.weight": weight})[f"{LAYER}.weight"] is weight


def test_codes_are_the_least_squares_fit():
    """What is left over is at right angles to all that the generator can make."""
    graph = net(8, 8)
    rewrite = parse_scheme(f"{LAYER}=csg:s=8,c=20").apply(graph)
    rng = np.random.default_rng(3)
    dense = {name: rng.standard_normal(shape) for name, shape in graph.parameters().items()}
    made = derived_weights(rewrite, dense)[f"{LAYER}.weight"]
    off = (dense[f"{LAYER}.weight"] - made).reshape(-1)
    for _ in range(5):
        other = {**dense, f"{LAYER}.weight": rng.standard_normal((8, 8, 3, 3))}
        assert abs(off @ derived_weights(rewrite, other)[f"{LAYER}.weight"].reshape(-1)) < 1e-9


def test_more_compression_never_stores_more():
    for graph in (NETS[0], NETS[1], resnet_cifar_padded(20)):
        never_more([f"csg:s=12,c={c}" for c in (288, 144, 72, 36, 9)], graph)
        assert parse_scheme("csg:s=12,c=9").apply(graph).changed


def test_shared_once_and_read_once():
    graph = resnet_cifar_padded(20)
    chip, load = (estimate(graph, f"csg:s=12,c=72{more}") for more in ("", ",expand=load"))
    (table,) = (row for row in chip.runs[-1].layers if row.kind == "Table")
    (idle,) = (row for row in load.runs[-1].layers if row.kind == "Table")
    assert table.weight_bits == idle.weight_bits == 93_312 * 8
    read = [a.bits for a in chip.runs[-1].accesses if a.node == table.node and a.level == "dram"]
    assert read == [93_312 * 8]
    assert not [a for a in load.runs[-1].accesses if a.node == idle.node]
    assert idle.load_bits == 93_312 * 8


def test_which_layers():
    left = {e.node: e.reason for e in parse_scheme("csg").apply(net(40, 33, (5, 3))).left}
    assert left[LAYER] == "5x3 window: the generator makes 3x3"
    assert (left["first"], left["fc"]) == ("first convolution", "linear layer")
    left = {e.node: e.reason for e in parse_scheme("csg").apply(net(2, 4)).left}
    assert left[LAYER] == "72 codes for 72 weights"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("csg:s=0", "s of scheme 'csg' is a whole number from 1 to 256, not 0"),
        ("csg:s=2,c=36", "c of scheme 'csg' is below the 36 weights of a slice of s=2"),
        ("csg:c=0", "and at least 1, not 0"),
        ("csg:expand=once", "expand of scheme 'csg' is chip or load, not 'once'"),
        ("csg:generator=binray", "did you mean 'binary'?"),
        ("csg:g=2", "scheme 'csg' has no parameter 'g'"),
        ("csg+shift", "stands in the wrong order"),
    ],
)
def test_messages(text, message):
    with pytest.raises(SchemeError) as caught:
        parse_scheme(text)
    assert message in str(caught.value)


def test_two_generators_in_one_network():
    graph = NETS[1]
    report = estimate(graph, f"{LAYER}=csg:s=12,c=72;last=csg:s=8,c=32")
    tables = [row.weight_bits for row in report.runs[-1].layers if row.kind == "Table"]
    assert sorted(tables) == [8 * 8 * 9 * 32 * 8, 93_312 * 8]
