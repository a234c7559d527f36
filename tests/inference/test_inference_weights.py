"""Names, checks, random weights, masks, calibration."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from energysim.errors import DataError, WeightsError
from energysim.graph import Activation, LayerGraph
from energysim.graph.builder import GraphBuilder
from energysim.inference import (
    calibrate,
    check_weights,
    expected_weights,
    masked,
    plan,
    random_images,
    random_weights,
)
from energysim.inference.weights import bell
from energysim.schemes import parse_scheme
from energysim.zoo import load_model


def small() -> LayerGraph:
    b = GraphBuilder("small", (3, 8, 8))
    x = b.relu(b.batch_norm(b.conv(b.input, 4, 3, padding=1, bias=False, name="conv"), name="bn"))
    x = b.batch_norm(b.conv(x, 6, 3, padding=1, name="second"), affine=False, name="bare")
    return b.build(b.linear(b.flatten(b.global_pool(x)), 5, name="fc"))


def test_expected_names_and_shapes() -> None:
    found = expected_weights(small())
    assert found == {
        "conv.weight": (4, 3, 3, 3),
        "bn.weight": (4,),
        "bn.bias": (4,),
        "bn.running_mean": (4,),
        "bn.running_var": (4,),
        "second.weight": (6, 4, 3, 3),
        "second.bias": (6,),
        "bare.running_mean": (6,),
        "bare.running_var": (6,),
        "fc.weight": (5, 6),
        "fc.bias": (5,),
    }
    graph = load_model("resnet18-cifar10")
    assert set(graph.parameters()) < set(expected_weights(graph))


def broken(name: str, value: Any) -> dict[str, Any]:
    weights: dict[str, Any] = random_weights(small())
    if value is None:
        del weights[name]
    else:
        weights[name] = value
    return weights


def with_value(value: float, shape: tuple[int, ...], at: tuple[int, ...]) -> Any:
    array = np.zeros(shape, np.float32)
    array[at] = value
    return array


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        (
            "conv.weight",
            np.zeros((4, 3, 3, 2), np.float32),
            "'conv.weight' has shape 4x3x3x2, the network needs 4x3x3x3",
        ),
        ("fc.bias", np.zeros((), np.float32), "'fc.bias' has shape of one number, the network needs 5"),
        ("conv.weight", np.zeros((4, 3, 3, 3)), "'conv.weight' holds float64, not float32"),
        ("fc.bias", [1, 2], "'fc.bias' is no array but list"),
        ("fc.bias", None, "'fc.bias' (5) is missing"),
        ("fc.bais", np.zeros(5, np.float32), "'fc.bais' is not of this network"),
        ("fc.weight", with_value(np.nan, (5, 6), (2, 3)), "'fc.weight' is nan at (2, 3)"),
        ("bn.bias", with_value(-np.inf, (4,), (1,)), "'bn.bias' is -inf at (1,)"),
        ("bn.running_var", with_value(-0.5, (4,), (0,)), "'bn.running_var' has a negative variance"),
    ],
)
def test_bad_weights(name: str, value: Any, message: str) -> None:
    with pytest.raises(WeightsError) as caught:
        check_weights(small(), broken(name, value))
    assert str(caught.value) == f"weights for 'small': {message}"
    for path in ("reference", "compact"):
        with pytest.raises(WeightsError):
            plan(small(), broken(name, value), path=path)  # type: ignore[arg-type]


def test_a_misspelt_name_is_told_both_ways() -> None:
    weights = random_weights(small())
    weights["second.wieght"] = weights.pop("second.weight")
    with pytest.raises(
        WeightsError, match=r"is it called 'second.wieght'\?; .*did you mean 'second.weight'\?"
    ):
        check_weights(small(), weights)


def test_large_values_are_no_infinity() -> None:
    weights = random_weights(small())
    weights["fc.weight"][:] = np.float32(3e38)
    assert check_weights(small(), weights)["fc.weight"] is weights["fc.weight"]


def test_many_problems_are_one_message() -> None:
    with pytest.raises(WeightsError, match=r"and 3 more$"):
        check_weights(small(), {})


def test_random_weights_are_the_same_for_ever() -> None:
    """The first numbers of a stream, which must never change, and what they depend on."""
    assert [float(v).hex() for v in bell(2, 0, "w")] == ["-0x1.51b90c0000000p-1", "0x1.82ae2a0000000p-5"]
    numbers = bell(4, 7, "conv.weight").tolist()
    assert bell(3, 7, "conv.weight").tolist() == numbers[:3]
    assert bell(4, 8, "conv.weight").tolist() != numbers
    assert bell(4, 7, "conv.bias").tolist() != numbers


def test_random_numbers_are_bell_shaped() -> None:
    numbers = bell(200_000, 1, "x").astype(np.float64)
    assert abs(numbers.mean()) < 0.01
    assert abs(numbers.std() - 1) < 0.01
    assert 0.66 < (np.abs(numbers) < 1).mean() < 0.70
    assert bell(1 << 20 | 5, 1, "x").shape == (1 << 20 | 5,)


@pytest.mark.parametrize("seed", [-1, 1 << 64, 1.0, "0", True])
def test_bad_seeds(seed: Any) -> None:
    with pytest.raises(WeightsError, match="a seed is a whole number"):
        random_weights(small(), seed)


def test_weights_outside_a_kernel_are_zero_and_the_rest_is_scaled_up() -> None:
    dense = load_model("vgg16-cifar10")
    sparse = parse_scheme("psconv").apply(dense).graph
    name = "features.conv3_2"
    kernel: Any = sparse.node(name).op
    mask = kernel.kernel.mask()
    whole, kept = random_weights(dense, 3), random_weights(sparse, 3)
    assert (kept[f"{name}.weight"][~mask] == 0).all()
    assert (kept[f"{name}.weight"][mask] != 0).mean() > 0.99
    ratio = (mask.size / mask.sum()) ** 0.5
    assert np.allclose(kept[f"{name}.weight"][mask], whole[f"{name}.weight"][mask] * ratio, rtol=1e-5)
    again = masked(sparse, whole)
    assert np.array_equal(again[f"{name}.weight"], np.where(mask, whole[f"{name}.weight"], 0))
    assert again["features.conv1_1.weight"] is whole["features.conv1_1.weight"]
    assert set(again) == set(whole)
    assert masked(sparse, again)[f"{name}.weight"] is again[f"{name}.weight"]


def test_calibration_sets_statistics_and_nothing_else() -> None:
    graph = small()
    weights = random_weights(graph, 1)
    images = random_images(graph, 6)
    found = calibrate(graph, weights, images)
    statistics = {n for n in found if n.endswith(("running_mean", "running_var"))}
    assert all(found[n] is weights[n] for n in set(found) - statistics)
    assert len(statistics) == 4
    for node, inputs, outputs in plan(graph, found).walk(images):
        if node.name in ("bn", "bare"):
            assert np.allclose(inputs[0].mean(axis=(0, 2, 3)), found[f"{node.name}.running_mean"], atol=1e-6)
            assert np.allclose(inputs[0].var(axis=(0, 2, 3)), found[f"{node.name}.running_var"], rtol=1e-5)
        if node.name == "bare":
            assert np.allclose(outputs[0].std(axis=(0, 2, 3)), 1, atol=1e-3)


def test_a_constant_channel_gets_no_tiny_variance() -> None:
    graph = small()
    weights = random_weights(graph, 1)
    weights["conv.weight"][0] = 0
    found = calibrate(graph, weights, random_images(graph, 2))
    assert found["bn.running_var"][0] > 1e-4 * found["bn.running_var"][1:].mean()
    flat = calibrate(graph, weights, np.zeros((1, 3, 8, 8)))
    assert flat["bn.running_var"].tolist() == [1, 1, 1, 1]


def test_activations_stay_well_scaled() -> None:
    for name, scheme in (("vgg16-cifar10", "psconv:PSD1_P16"), ("mobilenet_v2-cifar10", "dense")):
        graph = parse_scheme(scheme).apply(load_model(name)).graph
        weights = calibrate(graph, random_weights(graph), random_images(graph, 4))
        for node, _, outputs in plan(graph, weights).walk(random_images(graph, 2, seed=1)):
            if isinstance(node.op, Activation):
                assert 0.1 < np.sqrt(np.square(outputs[0]).mean()) < 10, node.name


def test_images() -> None:
    graph = small()
    one, two = random_images(graph, 3, seed=1), random_images(graph, 3, seed=2)
    assert isinstance(one, np.ndarray)
    assert isinstance(two, np.ndarray)
    assert one.shape == (3, 3, 8, 8)
    assert not np.array_equal(one, two)
    wide = random_images(load_model("vgg16-cifar10", input=(3, 33, 57)), 40)
    assert isinstance(wide, np.ndarray)
    assert wide.shape == (40, 3, 33, 57)
    assert abs(wide.mean()) < 0.1
    assert abs(wide.std() - 1) < 0.1
    with pytest.raises(DataError):
        calibrate(graph, random_weights(graph), wide)
