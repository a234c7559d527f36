"""Every operator with all its attributes against PyTorch."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch_network
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from imported_cases import IMPORTED, NOT_ALONE
from operator_cases import CASES, arrays

from energysim.errors import GraphError
from energysim.graph import Conv2d, ConvTranspose2d, Node, Operator, Pool2d
from energysim.inference.reference import OPERATORS, run_operator

pytestmark = pytest.mark.torch
PAIR = st.tuples(st.integers(1, 3), st.integers(1, 3))
WINDOW = st.tuples(st.integers(1, 5), st.integers(1, 5))


def same(op: Operator, inputs: Any, parameters: Any, tolerance: float = 2e-6) -> None:
    found = run_operator(Node("node", op, ("x",), ("y",)), inputs, parameters)
    wanted = torch_network.run(op, inputs, parameters)
    assert len(found) == len(wanted)
    for a, b in zip(found, wanted, strict=True):
        assert a.shape == b.shape
        assert a.dtype == b.dtype == np.float32
        exists = np.isfinite(b)  # a maximum over nothing but padding is minus infinity
        assert np.array_equal(a[~exists], b[~exists])
        a, b = a[exists], b[exists]
        assert np.abs(a - b).max(initial=0) <= tolerance * max(1.0, float(np.abs(b).max(initial=0)))


def test_the_cases_cover_every_operator() -> None:
    imported = {type(op) for op, _ in IMPORTED.values()}  # run by onnxruntime
    assert {type(op) for op, _ in CASES.values()} | imported | set(NOT_ALONE) == set(OPERATORS)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("name", CASES)
def test_operators(name: str, seed: int) -> None:
    same(CASES[name][0], *arrays(name, seed))


@st.composite
def operators(draw: st.DrawFn) -> tuple[Operator, tuple[int, ...], int]:
    g, c = draw(st.sampled_from([1, 2, 3])), draw(st.integers(1, 3))
    shape = (draw(st.integers(1, 3)), g * c, *draw(st.tuples(*[st.integers(1, 9)] * 2)))
    kind = draw(st.sampled_from(["conv", "deconv", "pool"]))
    pads = draw(st.tuples(*[st.integers(0, 3)] * 4))
    op: Operator
    try:
        if kind == "conv":
            op = Conv2d(
                g * draw(st.integers(1, 3)),
                draw(WINDOW),
                draw(PAIR),
                pads,
                draw(PAIR),
                g,
                draw(st.booleans()),
            )
        elif kind == "deconv":
            stride, dilation = draw(PAIR), draw(PAIR)
            extra = (draw(st.integers(0, 2)), draw(st.integers(0, 2)))
            op = ConvTranspose2d(g * draw(st.integers(1, 3)), draw(WINDOW), stride, pads, extra, dilation, g)
        else:
            window, mode = draw(WINDOW), draw(st.sampled_from(["max", "average"]))
            rows, cols = draw(st.integers(0, window[0] // 2)), draw(st.integers(0, window[1] // 2))
            dilation = draw(PAIR) if mode == "max" else (1, 1)
            op = Pool2d(
                mode,
                window,
                draw(PAIR),
                (rows, rows, cols, cols),
                dilation,
                draw(st.booleans()),
                draw(st.booleans()),
            )
        op.infer((shape,))
    except GraphError:
        assume(False)
    return op, shape, draw(st.integers(0, 2**32))


@given(operators())
@settings(max_examples=600, deadline=None)
def test_random_convolutions_and_pools(case: Any) -> None:
    op, shape, seed = case
    random = np.random.default_rng(seed)
    x = random.standard_normal(shape).astype(np.float32)
    parameters = {n: random.standard_normal(s).astype(np.float32) for n, s in op.parameters((shape,)).items()}
    same(op, (x,), parameters)
