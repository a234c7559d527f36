"""Modules as graphs, and estimated directly; what is refused, and in which words."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import pytest
import torch
from support import counted
from torch import nn

import energysim as es
from energysim.errors import ModelError, UnknownNameError, UsageError
from energysim.graph import Conv2d, Linear
from energysim.inference import plan
from energysim.torch import bake, estimate, from_torch, sparsify

pytestmark = pytest.mark.torch

IMAGES = torch.from_numpy(np.random.default_rng(0).standard_normal((2, 3, 12, 10)).astype(np.float32))


class Net(nn.Module):
    """A shortcut, a rectangular kernel, a transposed linear layer's worth of names."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 8, (3, 5), padding=(1, 2))
        self.block = nn.ModuleDict(
            {"conv": nn.Conv2d(8, 8, 3, padding=1, bias=False), "norm": nn.BatchNorm2d(8)}
        )
        self.head = nn.Linear(8, 4)
        self.dropout = nn.Dropout()

    def forward(self, x: Any) -> Any:
        x = torch.relu(self.stem(x))
        x = x + torch.relu(self.block["norm"](self.block["conv"](x)))
        return self.head(self.dropout(x.mean((2, 3))))


def net() -> Net:
    torch.manual_seed(3)
    module = Net()
    with torch.no_grad():
        module(IMAGES * 2)  # the norm gets statistics of its own
    return module.eval()


def test_a_module_becomes_a_graph_that_computes_the_same() -> None:
    module = net()
    graph, weights = from_torch(module, IMAGES)
    assert graph.name == "Net"
    assert graph.batch == 2
    layers = {n.name: n.op for n in graph if isinstance(n.op, Conv2d | Linear)}
    assert list(layers) == ["stem", "block.conv", "head"]
    assert layers["stem"].window == (3, 5)  # type: ignore[union-attr]
    assert np.array_equal(weights["stem.weight"], module.stem.weight.detach().numpy())
    with torch.no_grad():
        wanted = module(IMAGES).numpy()
    found: Any = plan(graph, weights).run(IMAGES.numpy())
    assert np.abs(found - wanted).max() < 1e-5 * wanted.std()


def test_macs_by_hand() -> None:
    """12 x 10 positions: 8*3*15 and 8*8*9 weights each; the head once; two images."""
    rows = {row.node: row.macs for row in estimate(net(), IMAGES).runs[0].layers}
    assert rows["stem"] == 2 * 120 * 8 * 3 * 15
    assert rows["block.conv"] == 2 * 120 * 8 * 8 * 9
    assert rows["head"] == 2 * 8 * 4


def test_masks_are_estimated_and_the_module_keeps_them() -> None:
    module = net()
    wanted = estimate(module, IMAGES, "psconv:PSD4_P8", hardware="eyeriss")
    sparsify(module, "psconv:PSD4_P8", IMAGES)
    found = estimate(module, IMAGES, hardware="eyeriss")
    assert [run.scheme for run in found.runs] == ["dense", "psconv:PSD4_P8"]
    for mine, theirs in zip(wanted.runs, found.runs, strict=True):
        assert counted(theirs) == counted(mine)
    _, weights = from_torch(module, IMAGES)
    assert np.count_nonzero(weights["block.conv.weight"]) == int((module.block["conv"].weight != 0).sum())
    assert bake(module) == ("block.conv",)
    _, plain = from_torch(module, IMAGES)
    assert all(np.array_equal(plain[name], weights[name]) for name in weights)


class Branch(nn.Module):
    """Which way it goes depends on what it sees."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3)

    def forward(self, x: Any) -> Any:
        y = self.conv(x)
        return y if y.sum() > 0 else -y


class Singular(nn.Module):
    """An operator that ONNX does not have."""

    def forward(self, x: Any) -> Any:
        return torch.linalg.svd(x)[1]


def test_what_the_exporter_refuses() -> None:
    with pytest.raises(ModelError) as caught:
        from_torch(Branch().eval(), IMAGES)
    line = Branch.forward.__code__.co_firstlineno + 2
    assert str(caught.value).startswith("Branch cannot be exported to ONNX: Could not guard on data")
    assert f"(test_torch_convert.py:{line})" in str(caught.value)
    assert "\n" not in str(caught.value)
    with pytest.raises(ModelError, match=r"^Singular cannot be exported to ONNX: .*svd") as caught:
        from_torch(Singular().eval(), IMAGES)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("module", "example", "message"),
    [
        (
            lambda: net().train(),
            IMAGES,
            "Net is in training mode ('Net', 'stem', 'block', ...), in which dropout and batch norm are",
        ),
        (net, IMAGES[:, :2], "Net cannot be run on the example of 2x2x12x10: RuntimeError: Given groups=1"),
        (net, (IMAGES, IMAGES), "Net cannot be run on the example of 2x3x12x10, 2x3x12x10: TypeError: "),
        (net, [2, 3], "the example is a tensor (or a tuple of tensors), batch first, not int, int"),
        (lambda: Net, IMAGES, "a module is wanted, not its class: write Net()"),
        (lambda: 3, IMAGES, "a torch.nn.Module is wanted, not int"),
    ],
)
def test_wrong_arguments(module: Any, example: Any, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        from_torch(module(), example)
    assert str(caught.value).startswith(message)


def test_wrong_options_are_those_of_the_estimate() -> None:
    with pytest.raises(UnknownNameError, match="did you mean 'edge45'"):
        estimate(net(), IMAGES, hardware="edge54")
    with pytest.raises(UnknownNameError, match="did you mean 'psconv'"):
        estimate(net(), IMAGES, "psconf")


def test_a_module_given_to_the_plain_estimate_is_sent_here() -> None:
    with pytest.raises(ModelError) as caught:
        es.estimate(net())  # type: ignore[arg-type]
    assert str(caught.value) == (
        "a model is a name, a file or a LayerGraph, not Net: "
        "a PyTorch module is estimated by energysim.torch.estimate(module, example)"
    )


def test_missing_exporter(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnxscript", None)
    with pytest.raises(UsageError, match="needs the package onnxscript: pip install"):
        from_torch(net(), IMAGES)
