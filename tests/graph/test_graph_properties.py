"""What holds for any network: swapped axes give swapped shapes, the batch scales, no foreign errors."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import fields, replace
from typing import Any

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from energysim.errors import GraphError, ShapeError
from energysim.graph import (
    Activation,
    AdaptivePool2d,
    BatchNorm,
    Concat,
    Conv2d,
    ConvTranspose2d,
    GroupNorm,
    LayerGraph,
    Node,
    Operator,
    Pool2d,
    SpatialShift,
    Upsample,
)
from energysim.graph.shapes import Shape

PAIR = st.tuples(st.integers(1, 4), st.integers(1, 4))
PADS = st.tuples(*[st.integers(0, 2)] * 4)
GROUPS = st.sampled_from([1, 2, 4])
BOOL = st.booleans()

CONV = st.builds(
    lambda m, window, stride, padding, dilation, g, bias: Conv2d(
        4 * m, window, stride, padding, dilation, g, bias
    ),
    st.integers(1, 3),
    PAIR,
    PAIR,
    PADS,
    PAIR,
    GROUPS,
    BOOL,
)
TRANSPOSED = st.builds(
    lambda m, window, stride, padding, g: ConvTranspose2d(4 * m, window, stride, padding, groups=g),
    st.integers(1, 3),
    PAIR,
    PAIR,
    PADS,
    GROUPS,
)


def pool(window: tuple[int, int], stride: tuple[int, int], padding: tuple[int, ...], ceil: bool) -> Pool2d:
    spans = (window[0], window[0], window[1], window[1])
    pads: Any = tuple(min(p, s - 1) for p, s in zip(padding, spans, strict=True))
    return Pool2d("max", window, stride, pads, ceil_mode=ceil)


OPERATORS = st.one_of(
    CONV,
    TRANSPOSED,
    st.builds(pool, PAIR, PAIR, PADS, BOOL),
    st.builds(AdaptivePool2d, st.just("average"), PAIR),
    st.builds(Upsample, PAIR, st.sampled_from(["nearest", "bilinear"])),
    st.builds(SpatialShift, PAIR),
    st.builds(GroupNorm, GROUPS),
    st.sampled_from([Activation("relu"), BatchNorm(), Concat(1), Concat(2), Concat(3)]),
)
SHAPES = st.tuples(st.integers(1, 3), st.sampled_from([4, 8]), st.integers(1, 14), st.integers(1, 14))


def swapped(value: Any) -> Any:
    """Rows for columns, everywhere in an operator."""
    if isinstance(value, Concat):
        return Concat({2: 3, 3: 2}.get(value.axis, value.axis))
    changes = {}
    for f in fields(value):
        content = getattr(value, f.name)
        if isinstance(content, tuple) and len(content) == 4:
            changes[f.name] = (content[2], content[3], content[0], content[1])
        elif isinstance(content, tuple) and len(content) == 2:
            changes[f.name] = content[::-1]
    return replace(value, **changes)


def turned(shape: Shape) -> Shape:
    """The last two axes exchanged."""
    return (*shape[:-2], shape[-1], shape[-2]) if len(shape) == 4 else shape


def outcome(op: Operator, shape: Shape) -> tuple[Shape, ...] | None:
    try:
        return op.infer((shape,))
    except ShapeError:
        return None


@given(OPERATORS, SHAPES)
@settings(deadline=None, max_examples=500)
def test_swapping_rows_and_columns_swaps_the_shapes(op: Operator, shape: Shape) -> None:
    found, other = outcome(op, shape), outcome(swapped(op), turned(shape))
    if found is None or other is None:
        assert found == other
        return
    assert other == tuple(map(turned, found))
    weights, exchanged = op.parameters((shape,)), swapped(op).parameters((turned(shape),))
    assert {k: turned(v) for k, v in weights.items()} == exchanged
    assert op.other_ops((shape,), found) == swapped(op).other_ops((turned(shape),), other)


def chain(operators: list[Operator], shape: Shape) -> LayerGraph | None:
    """Nodes one behind the other, as far as the shapes go."""
    nodes: list[Node] = []
    current, tensor = shape, "input"
    for number, op in enumerate(operators):
        found = outcome(op, current)
        if found is None or min(found[0]) < 1 or max(found[0]) > 200:
            continue
        nodes.append(Node(f"n{number}", op, (tensor,), (f"n{number}",)))
        current, tensor = found[0], f"n{number}"
    return LayerGraph("chain", {"input": shape}, nodes) if nodes else None


@given(st.lists(OPERATORS, min_size=1, max_size=6), SHAPES)
@settings(deadline=None, max_examples=150)
def test_whole_graphs_swap_too(operators: list[Operator], shape: Shape) -> None:
    graph = chain(operators, shape)
    assume(graph is not None)
    assert graph is not None
    other = LayerGraph(
        "turned", {"input": turned(shape)}, [replace(n, op=swapped(n.op)) for n in reversed(graph.nodes)]
    )
    assert {t: turned(v.shape) for t, v in graph.tensors.items()} == {
        t: v.shape for t, v in other.tensors.items()
    }
    assert graph.parameter_count() == other.parameter_count()


@given(st.lists(OPERATORS, min_size=1, max_size=6), SHAPES, st.integers(1, 9))
@settings(deadline=None, max_examples=150)
def test_the_batch_scales_everything_but_parameters(
    operators: list[Operator], shape: Shape, batch: int
) -> None:
    graph = chain(operators, (1, *shape[1:]))
    assume(graph is not None)
    assert graph is not None
    bigger = graph.with_batch(batch)
    assert bigger.parameters() == graph.parameters()
    for name, tensor in graph.tensors.items():
        assert bigger.tensors[name].elements == batch * tensor.elements
    for one, many in zip(graph, bigger, strict=True):
        ops = one.op.other_ops(graph.input_shapes(one), graph.output_shapes(one))
        assert many.op.other_ops(bigger.input_shapes(many), bigger.output_shapes(many)) == batch * ops


ANY = st.one_of(st.integers(-2, 5), st.none(), st.tuples(st.integers(-1, 3), st.integers(-1, 3)))


@given(ANY, ANY, ANY, ANY, st.lists(st.integers(1, 6), max_size=5).map(tuple))
@settings(deadline=None, max_examples=300)
def test_nonsense_raises_only_our_own_errors(
    window: Any, stride: Any, padding: Any, dilation: Any, shape: Shape
) -> None:
    for make in (
        lambda: Conv2d(4, window, stride, padding, dilation),
        lambda: ConvTranspose2d(4, window, stride, padding, (0, 0), dilation),
        lambda: Pool2d("max", window, stride, padding, dilation),
        lambda: Conv2d(4, (2, 1), (2, 1), (0, 1, 0, 1), (1, 2)),
    ):
        with suppress(GraphError):
            make().infer((shape,))
