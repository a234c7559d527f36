"""Networks that make much of an error of rounding."""

from __future__ import annotations

import numpy as np
import pytest

from energysim.data import Data
from energysim.graph import GraphBuilder
from energysim.inference import plan
from energysim.validate import validate
from energysim.validate.conditioning import sensitivity


def test_a_small_difference_of_large_numbers() -> None:
    """y = x0 - x1 of numbers in [1, 2), whose neighbours are 2**-23 away: y moves by up to 2**-22."""
    b = GraphBuilder("difference", input=(2, 9, 9))
    graph = b.build(b.conv(b.input, 1, 1, bias=False, name="minus"))
    draw = np.random.Generator(np.random.Philox(3)).standard_normal((2, 1, 9, 9))
    images = np.concatenate([np.full_like(draw, 1.5), 1.5 + draw * 2.0**-12], axis=1).astype(np.float32)
    weight = np.array([1, -1], np.float32).reshape(1, 2, 1, 1)
    reference = plan(graph.with_batch(2), {"minus.weight": weight})
    outputs = images[:, :1].astype(np.float64) - images[:, 1:]
    found = sensitivity(reference, Data(images, None, "made up", "as they are"))
    assert found == pytest.approx(2.0**-22 / outputs.std(), rel=1e-12)
    assert found == sensitivity(reference, Data(images, None, "made up", "as they are"))


@pytest.mark.slow
def test_a_deep_random_network_is_held_to_what_it_can_be_held_to() -> None:
    found = validate("mobilenet_v2-tiny", "csc:fan=4,between=relu", inputs=1, input=(3, 32, 32))
    assert found.passed, found.problems
    dense, chain = found.schemes
    assert dense.allowed == found.setup.network_tolerance < chain.allowed <= 0.25
    assert "makes much of the last bit" in " ".join(found.render().split())
    tight = validate(
        "mobilenet_v2-tiny", "csc:fan=4,between=relu", inputs=1, input=(3, 32, 32), tolerance=1e-5
    )
    assert not tight.passed
