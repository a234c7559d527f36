"""Every operator and its attributes against onnxruntime, on the same random numbers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from imported_cases import IMPORTED, NOT_ALONE
from imported_cases import arrays as imported_arrays
from onnxruntime_run import Array, one_node, run_onnxruntime
from operator_cases import CASES, arrays

from energysim.errors import ExportError, ShapeError
from energysim.exporters.onnx_file import WRITERS
from energysim.graph import Constant, Conv2d, ConvTranspose2d, ExpandBatch, GraphBuilder, Operator, Pool2d
from energysim.inference import plan

pytestmark = pytest.mark.oracle

#: Cases that ONNX has no operator for, and what the message says.
WITHOUT = {
    "adaptive_average": "different sizes",
    "adaptive_max": "different sizes",
    "block_float": "exponent",
    "block_float_rows": "exponent",
    "circular_solve": "solve",
    "circular_solve_even": "solve",
    "local_response_norm_even": "odd",
    "quantize_odd": "integers of 6 bit",
}
#: onnxruntime weighs cubic neighbours in float32, and adds up in another order.
LOOSE = ("resize_cubic", "resize_excluded", "reduce_l1", "reduce_log_sum")
#: Largest difference, in standard deviations of the output.
CLOSE = 2e-6


def agree(
    op: Operator, inputs: tuple[Array, ...], parameters: dict[str, Array], close: float = CLOSE
) -> None:
    """The engine and onnxruntime give the same shapes and numbers."""
    graph, given = one_node(op, inputs)
    weights = {f"node.{suffix}": array for suffix, array in parameters.items()}
    wanted = run_onnxruntime(graph, weights, given)
    found: Any = plan(graph, weights).run(given)
    found = found if isinstance(found, dict) else {"node": found}
    for tensor, array in zip(graph.outputs, wanted, strict=True):
        assert found[tensor].shape == array.shape
        assert np.abs(found[tensor] - array).max() <= close * max(1e-3, float(array.std())), tensor


def test_every_operator_has_a_case() -> None:
    cases = [*CASES.values(), *IMPORTED.values()]
    assert {type(op) for op, _ in cases} | set(NOT_ALONE) == set(WRITERS)


@pytest.mark.parametrize("name", [*CASES, *IMPORTED])
def test_cases(name: str) -> None:
    op = (CASES | IMPORTED)[name][0]
    inputs, parameters = arrays(name) if name in CASES else imported_arrays(name)
    if name in WITHOUT:
        with pytest.raises(ExportError, match=rf"^node 'node' \(.*{WITHOUT[name]}"):
            agree(op, inputs, parameters)
    else:
        agree(op, inputs, parameters, 1e-5 if name.startswith(LOOSE) else CLOSE)


def test_constants_and_their_batch() -> None:
    b = GraphBuilder("net", (3, 4, 5))
    (scale,) = b.node(Constant((3, 1, 1)), name="scale")
    (mask,) = b.node(Constant((2, 4, 5)), name="mask")
    (masks,) = b.node(ExpandBatch(), mask, b.input, name="masks")
    joined = b.concat(b.multiply(b.input, scale, name="scaled"), masks, name="joined")
    graph = b.build(joined)
    numbers = np.random.default_rng(1)
    weights = {n: numbers.standard_normal(s).astype(np.float32) for n, s in graph.parameters().items()}
    image = numbers.standard_normal((2, 3, 4, 5)).astype(np.float32)
    (wanted,) = run_onnxruntime(graph, weights, {"input": image})
    by_hand = [image * weights["scale.value"], np.repeat(weights["mask.value"], 2, axis=0)]
    assert np.array_equal(wanted, np.concatenate(by_hand, axis=1))
    for path in ("reference", "fast"):
        for threads in (1, 2):
            found = plan(graph, weights, path=path, threads=threads).run(image)
            assert np.array_equal(found, wanted), path


def random_operator(numbers: np.random.Generator, kind: str) -> tuple[Operator, tuple[int, ...]]:
    """An operator with a window, everything about it drawn at random, and the shape of its input."""

    def pair(low: int, high: int) -> tuple[int, int]:
        return int(numbers.integers(low, high + 1)), int(numbers.integers(low, high + 1))

    groups = int(numbers.choice([1, 1, 2, 3]))
    shape = (int(numbers.integers(1, 3)), groups * int(numbers.integers(1, 4)), *pair(3, 12))
    window, stride, dilation = pair(1, 4), pair(1, 3), pair(1, 2)
    bias, out = bool(numbers.integers(2)), groups * int(numbers.integers(1, 4))
    if kind == "conv":
        return Conv2d(out, window, stride, (*pair(0, 3), *pair(0, 3)), dilation, groups, bias), shape
    if kind == "deconv":
        extra = tuple(int(numbers.integers(0, max(s, d))) for s, d in zip(stride, dilation, strict=True))
        pads = (*pair(0, 1), *pair(0, 1))
        return ConvTranspose2d(out, window, stride, pads, extra, dilation, groups, bias), shape  # type: ignore[arg-type]
    pads = tuple(int(numbers.integers(0, window[axis // 2])) for axis in range(4))
    mode = "max" if kind == "max" else "average"
    flags = bool(numbers.integers(2)), bool(numbers.integers(2))
    return Pool2d(mode, window, stride, pads, dilation, *flags), shape  # type: ignore[arg-type]


@pytest.mark.parametrize("seed", range(60))
@pytest.mark.parametrize("kind", ["conv", "deconv", "max", "average"])
def test_random_windows(kind: str, seed: int) -> None:
    numbers = np.random.default_rng([seed, *kind.encode()])
    while True:
        op, shape = random_operator(numbers, kind)
        try:
            op.infer((shape,))
            break
        except ShapeError:
            continue
    x = numbers.standard_normal(shape).astype(np.float32)
    parameters = {
        n: numbers.standard_normal(s).astype(np.float32) for n, s in op.parameters((shape,)).items()
    }
    try:
        agree(op, (x,), parameters)
    except ExportError as error:
        assert "output padding" in str(error)
        assert isinstance(op, ConvTranspose2d)
        extra = zip(op.output_padding, op.padding[1::2], op.stride, strict=True)
        assert any(more - end >= stride for more, end, stride in extra)


def test_equal_windows_of_adaptive_pooling() -> None:
    x = np.random.default_rng(0).standard_normal((2, 3, 6, 8)).astype(np.float32)
    for mode in ("max", "average"):
        b = GraphBuilder("net", (3, 6, 8))
        graph = b.build(b.adaptive_pool(b.input, (3, 2), mode))  # type: ignore[arg-type]
        (wanted,) = run_onnxruntime(graph, {}, {"input": x})
        assert np.abs(plan(graph, {}).run(x) - wanted).max() < 1e-6


def test_outputs_behind_dropouts_and_tensors_read_twice() -> None:
    b = GraphBuilder("net", (3, 4, 5))
    x = b.dropout(b.relu(b.input, name="relu"), name="drop")
    y = b.dropout(b.add(x, x, x, name="sum"), name="last")
    graph = b.build(y, x)
    image = np.random.default_rng(0).standard_normal((2, 3, 4, 5)).astype(np.float32)
    found = run_onnxruntime(graph, {}, {"input": image})
    assert np.array_equal(found[1], np.maximum(image, 0))
    assert np.allclose(found[0], 3 * np.maximum(image, 0))
