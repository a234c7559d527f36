"""bfp: rounding by hand, bits of activations, together with dsconv, messages."""

from __future__ import annotations

import math

import numpy as np
import pytest
from schemes_family import LAYER, NETS, net

from energysim.errors import SchemeError
from energysim.graph import BlockFloat, Node
from energysim.inference.reference import run_operator
from energysim.schemes import parse_scheme
from energysim.validate import validate
from energysim.walker import estimate


def run(op, x):
    (found,) = run_operator(Node("r", op, ("x",), ("r",)), (x,), {})
    return found


def test_rounding_by_hand():
    """Block (5, 0.3, -0.9): E = 2, m = 4, steps of 2**0: (5, 0, -1); (0.3,): E = -2, steps of 1/16."""
    x = np.array([5, 0.3, -0.9, 0.3]).reshape(1, 4, 1, 1)
    assert run(BlockFloat(3, 4, 8), x).reshape(-1).tolist() == [5, 0, -1, 5 / 16]
    # 7.9 is 8 steps of 1, one more than 4 bits hold; -7.9 is -8.
    assert run(BlockFloat(1, 4, 8), np.array([[7.9, -7.9]])).tolist() == [[7, -8]]
    # 2 bits of exponent: E is from -2 to 1, so steps are 2**-4 to 2**-1; 5 becomes 7 steps of 1/2.
    assert run(BlockFloat(1, 4, 2), np.array([[5.0, 0.01, 0.0]])).tolist() == [[3.5, 0, 0]]


@pytest.mark.parametrize(("block", "mantissa", "exponent"), [(4, 8, 8), (3, 5, 3), (64, 2, 8)])
def test_rounding_value_by_value(block, mantissa, exponent):
    rng = np.random.default_rng(1)
    x = rng.standard_normal((2, 10, 3, 2)) * 2.0 ** rng.integers(-9, 9, (2, 10, 3, 2))
    found = run(BlockFloat(block, mantissa, exponent), x)
    half, most = 2 ** (exponent - 1), 2 ** (mantissa - 1)
    for n, c, i, j in np.ndindex(*x.shape):
        start = c // block * block
        largest = max(abs(v) for v in x[n, start : start + block, i, j])
        e = min(max(math.floor(math.log2(largest)), -half), half - 1)
        step = 2.0 ** (e - mantissa + 2)
        assert found[n, c, i, j] == min(max(round(x[n, c, i, j] / step), -most), most - 1) * step


def test_bits_of_a_map():
    """m*C*A + e*ceil(C/B)*A for what the layer reads, written and read once: 64 channels of 28x28."""
    graph = net(64, 128, size=(28, 28))
    rows = [
        (a.node, a.action, a.bits)
        for a in estimate(graph, f"{LAYER}=bfp:block=24,mantissa=5,exponent=6").runs[-1].accesses
        if a.level == "dram" and (a.node, a.tensor) in (("first", "outputs"), (LAYER, "inputs"))
    ]
    bits = 5 * 64 * 784 + 6 * 3 * 784
    assert rows == [("first", "write", bits), (LAYER, "read", bits)]


def test_with_dsconv():
    scheme = "dsconv:bits=4,block=16+bfp:block=16,mantissa=8,exponent=8"
    for graph in (NETS[2], NETS[3], NETS[6]):
        found = validate(graph, scheme, inputs=2)
        assert found.passed, found.problems
        assert parse_scheme(scheme).apply(graph).trace[LAYER].exactness == "E3"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("bfp:mantissa=1", "mantissa of scheme 'bfp' is a whole number from 2 to 24, not 1"),
        ("bfp:exponent=9", "exponent of scheme 'bfp' is a whole number from 2 to 8, not 9"),
        ("bfp:mantisa=8", "did you mean 'mantissa'?"),
        ("bfp+dsconv", "stands in the wrong order"),
    ],
)
def test_messages(text, message):
    with pytest.raises(SchemeError) as caught:
        parse_scheme(text)
    assert message in str(caught.value)
