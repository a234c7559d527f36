"""penni: unit table, the decomposition against singular values, errors of real weights, messages."""

from __future__ import annotations

import numpy as np
import pytest
from schemes_family import LAYER, NETS, Unit, net, never_more, same_cost, unit

from energysim.data import load_data
from energysim.errors import SchemeError, WeightsError
from energysim.inference.reference import run_operator
from energysim.reconstruction import weight_errors
from energysim.resources import data_folder
from energysim.schemes import derived_weights, parse_scheme
from energysim.schemes.layers import layers
from energysim.schemes.penni import decomposed, shared_basis
from energysim.validate import validate
from energysim.walker import estimate
from energysim.weight_sets import WeightSet, loaded
from energysim.zoo import load_model

# C*d*9*784 + nnz*784 multiply-adds, d*9 + nnz weights; a bitmap of M*C*d bits unless all are kept.
UNITS = [
    ("penni:d=5", (34_370_560, 41_005, 0, 68_741_120, 81_965, 0)),
    ("penni:d=5,density=0.1", (5_469_184, 4_141, 40_960, 10_938_368, 8_237, 81_920)),
    # 4096 places of 9 bits in 64*5 = 320 columns and 129 pointers of 13; 8192 of 10 bits, 129 of 14.
    (
        "penni:d=5,density=0.1,storage=index",
        (5_469_184, 4_141, 4096 * 9 + 129 * 13, 10_938_368, 8_237, 8192 * 10 + 129 * 14),
    ),
]


@pytest.mark.parametrize(("scheme", "row"), UNITS)
def test_unit_table(scheme, row):
    assert unit(scheme, 64, 128) == Unit(*row[:3])
    assert unit(scheme, 128, 128) == Unit(*row[3:])


@pytest.mark.parametrize("count", [1, 2, 5, 6])
def test_the_basis_is_the_best_one(count):
    """What is left out is the sum of the squares of the last singular values."""
    weights = np.random.default_rng(1).standard_normal((7, 5, 2, 3))
    basis, coefficients = decomposed(weights, count)
    made = np.einsum("ocj,jrs->ocrs", coefficients, basis)
    values = np.linalg.svd(weights.reshape(35, 6), compute_uv=False)
    assert np.isclose(((made - weights) ** 2).sum(), (values[count:] ** 2).sum(), rtol=1e-9, atol=1e-20)
    assert np.allclose(basis.reshape(count, 6) @ basis.reshape(count, 6).T, np.eye(count), atol=1e-12)


@pytest.mark.parametrize("graph", NETS, ids=lambda graph: graph.name)
def test_a_whole_basis_is_exact(graph):
    """d = R*S: both stages, run by the definitions of their operators, give the dense layer's outputs."""
    (layer,) = (each for each in layers(graph) if each.name == LAYER)
    if layer.weight_shape[1] == 1 and layer.conv.groups > 1:
        pytest.skip("depthwise")
    taps = layer.weight_shape[2] * layer.weight_shape[3]
    block = shared_basis(layer, taps, None)
    rng = np.random.default_rng(4)
    dense = {"weight": rng.standard_normal(layer.weight_shape)}
    if layer.conv.bias:
        dense["bias"] = rng.standard_normal(layer.weight_shape[0])
    own = block.recipe.derive(dense)
    x = rng.standard_normal((2, *layer.input_shape[1:]))
    first, last = block.nodes
    (maps,) = run_operator(first, (x,), {"weight": own["basis.weight"]})
    (found,) = run_operator(last, (maps,), {k: own[k] for k in own if "." not in k})
    (expected,) = run_operator(graph.node(LAYER), (x,), dense)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-10)
    np.testing.assert_allclose(block.recipe.equivalent(own)["weight"], dense["weight"], rtol=0, atol=1e-12)


def test_identity_costs_dense():
    for graph in NETS[:4]:
        same_cost("penni:d=9", graph)


def test_more_compression_never_stores_more():
    for graph in NETS[:3]:
        never_more([f"penni:d={d}" for d in (8, 6, 4, 2, 1)], graph)
        never_more([f"penni:d=5,density={x}" for x in (0.8, 0.5, 0.2, 0.05)], graph)


def test_magnitude_keeps_the_largest_coefficients():
    graph = net(12, 16)
    weight = np.random.default_rng(3).standard_normal((16, 12, 3, 3))
    scheme = parse_scheme(f"{LAYER}=penni:d=4,density=0.25,by=magnitude").rules[0][1]
    assert scheme.wants_weights
    bound = scheme.with_weights({f"{LAYER}.weight": weight}, lambda _: 8)
    mask = bound.apply(graph, [LAYER]).graph.node(LAYER).op.kernel.mask()[:, :, 0, 0]
    size = np.abs(decomposed(weight, 4)[1].reshape(16, 48))
    assert mask.sum() == 16 * 12
    assert size[mask].min() > size[~mask].max()
    with pytest.raises(SchemeError, match="looks at weights"):
        scheme.apply(graph, [LAYER])
    with pytest.raises(WeightsError, match=r"there is no array 'layer\.weight'"):
        scheme.with_weights({}, lambda _: 8).apply(graph, [LAYER])


def trained():
    graph = load_model("digits_cnn")
    found = WeightSet("trained", data_folder("models") / "digits_weights" / "dense.npz", "seed0")
    return graph, found, load_data("random", graph, 4)


def test_errors_of_trained_weights_by_hand():
    """The error that is shown is that of the singular values left out."""
    graph, found, data = trained()
    rewrite = parse_scheme("penni:d=4").apply(graph)
    errors = weight_errors(graph, rewrite, found, loaded(found, graph, rewrite, data))
    dense = found.read(graph)
    assert set(errors) == set(rewrite.changed)
    for name, error in errors.items():
        values = np.linalg.svd(dense[f"{name}.weight"].reshape(-1, 9).astype(np.float64), compute_uv=False)
        assert np.isclose(error, np.sqrt((values[4:] ** 2).sum() / (values**2).sum()), rtol=1e-4)


def test_validate_shows_the_error():
    found = validate("digits_cnn", "penni:d=4", weights=[data_folder("models") / "digits_weights/dense.npz"])
    assert found.passed, found.problems
    rows = {row.node: row for row in found.schemes[-1].layers}
    shown = [row.weight_error for row in rows.values() if row.weight_error is not None]
    assert len(shown) == 3
    assert all(0 < error < 0.8 for error in shown)
    assert "weights off" in found.render()
    assert "weight_error" in found.render("json")


def test_the_basis_is_shared():
    """A file in which the channels have different basis kernels is refused."""
    graph = net(12, 16)
    rewrite = parse_scheme(f"{LAYER}=penni:d=2").apply(graph)
    dense = {name: np.ones(shape) for name, shape in graph.parameters().items()}
    (recipe,) = rewrite.steps[0]
    made = derived_weights(rewrite, dense)[f"{LAYER}.basis.weight"]
    assert (made.reshape(12, 2, 3, 3) == made[:2, 0]).all()
    moved = made + np.arange(24).reshape(24, 1, 1, 1)
    tied = recipe.tie({"basis.weight": moved, "weight": np.ones((16, 24, 1, 1))})["basis.weight"]
    assert (tied.reshape(12, 2, 3, 3) == moved[:2, 0]).all()


def test_maps_between_fused_and_unfused():
    """Unfused the C*d maps of 28x28 bytes are written and read."""
    graph = net(64, 128, size=(28, 28))
    fused = estimate(graph, f"{LAYER}=penni:d=5").totals()
    split = estimate(graph, f"{LAYER}=penni:d=5", fusion="split").totals()
    assert split.total_dram_bits - fused.total_dram_bits == 2 * 64 * 5 * 784 * 8


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("penni:d=0", "d of scheme 'penni' is a whole number from 1 to 1024, not 0"),
        ("penni:density=0", "density of scheme 'penni' is above 0 and at most 1, not 0"),
        ("penni:density=1.5", "density of scheme 'penni' is above 0 and at most 1, not 1.5"),
        (
            "penni:storage=bitmpa",
            "storage of scheme 'penni' is bitmap or index, not 'bitmpa'; did you mean 'bitmap'?",
        ),
        ("penni:dnesity=0.5", "did you mean 'density'?"),
        ("penni:by=magnitude,seed=3", "by=magnitude draws nothing"),
        ("penni+nm:2:4", "contradicts itself"),
    ],
)
def test_messages(text, message):
    with pytest.raises(SchemeError) as caught:
        parse_scheme(text)
    assert message in str(caught.value)


def test_a_basis_larger_than_the_kernel():
    for text in ("penni:d=10", f"{LAYER}=penni:d=10"):
        with pytest.raises(SchemeError) as caught:
            parse_scheme(text).apply(NETS[0])
        message = "layer 'layer': 10 basis kernels for the 9 taps of 3x3 windows: d is at most its taps"
        assert str(caught.value) == message
    # One layer is large enough: the other is listed.
    rewrite = parse_scheme("penni:d=10").apply(net(40, 33, (5, 3)))
    assert rewrite.changed == (LAYER,)
    assert {e.node: e.reason for e in rewrite.left}[
        "last"
    ] == "10 basis kernels for the 9 taps of 3x3 windows"
