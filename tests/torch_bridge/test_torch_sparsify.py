"""Masks on modules: where they go, that training keeps them, that they come off again."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from zoo_modules import ZooModule

from energysim.errors import SchemeError, UnknownNameError, UsageError
from energysim.graph import Conv2d, Linear
from energysim.schemes import SCHEMES, Left, parse_scheme
from energysim.schemes.catalog import kind_of
from energysim.torch import SupportMask, bake, sparsify
from energysim.zoo import load_model

pytestmark = pytest.mark.torch

#: Supports of the authors' repository for KSS 4 (rows of a 3x3 window), slots 0 to 7 of PSD4_P8: the
#: dense one, then the four corner blocks in turn.
CORNERS = [(0, 1, 3, 4), (1, 2, 4, 5), (3, 4, 6, 7), (4, 5, 7, 8)]
PSD4_P8 = [tuple(range(9)), *(CORNERS[i % 4] for i in range(7))]


def net() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(3, 8, 3, padding=1),
        nn.BatchNorm2d(8),
        nn.ReLU(),
        nn.Conv2d(8, 12, 3, padding=1, bias=False),
        nn.ReLU(),
        nn.Conv2d(12, 12, 3, groups=12),
        nn.Conv2d(12, 6, 1),
        nn.ConvTranspose2d(6, 6, 2),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(6, 4),
    )


def support(filters: int, channels: int) -> Any:
    """PSD4_P8 by its rule, window by window."""
    mask = np.zeros((filters, channels, 9), bool)
    for f in range(filters):
        for c in range(channels):
            mask[f, c, list(PSD4_P8[(f + c + 1) % 8])] = True
    return mask.reshape(filters, channels, 3, 3)


def nonzero(layer: Any) -> Any:
    return (layer.weight != 0).numpy()


def train(module: nn.Module, optimiser: torch.optim.Optimizer, steps: int = 3) -> None:
    torch.manual_seed(1)
    for _ in range(steps):
        optimiser.zero_grad()
        module(torch.randn(4, 3, 8, 8)).square().sum().backward()
        optimiser.step()


def test_the_mask_is_that_of_the_rule_and_the_rest_is_left_with_reasons() -> None:
    module = net()
    before = {name: p.detach().clone() for name, p in module.named_parameters()}
    done = sparsify(module, "psconv:PSD4_P8")
    mask = support(12, 8)
    assert np.array_equal(nonzero(module[3]), mask)
    assert torch.equal(module[3].weight, before["3.weight"] * torch.from_numpy(mask))
    assert [(layer.name, layer.kept, layer.total) for layer in done.layers] == [("3", mask.sum(), 864)]
    assert done.left == (
        Left("0", "first convolution"),
        Left("5", "depthwise"),
        Left("6", "1x1 window"),
        Left("7", "transposed convolution"),
        Left("10", "linear layer"),
    )
    for name in ("0.weight", "5.weight", "6.weight", "7.weight", "10.weight", "1.weight"):
        assert torch.equal(module.get_parameter(name), before[name])
    assert str(done).splitlines()[:3] == [
        "Sequential: psconv:PSD4_P8, layers in the order as defined",
        f"  3: {mask.sum()} of 864 weights (12x8x3x3)",
        "  left as it is: 0 (first convolution)",
    ]


@pytest.mark.parametrize("made_before", [True, False])
@pytest.mark.parametrize(
    ("kind", "options"),
    [
        (torch.optim.SGD, {"lr": 0.1, "momentum": 0.9, "weight_decay": 0.01}),
        (torch.optim.AdamW, {"lr": 0.05, "weight_decay": 0.1}),
    ],
)
def test_training_keeps_the_mask(kind: Any, options: dict[str, float], made_before: bool) -> None:
    module = net()
    optimiser = kind(module.parameters(), **options) if made_before else None
    sparsify(module, "psconv:PSD4_P8")
    start = module[3].weight.detach().clone()
    train(module, optimiser or kind(module.parameters(), **options))
    mask = support(12, 8)
    assert not module[3].weight.detach()[~torch.from_numpy(mask)].any()
    assert not module[3].parametrizations.weight.original[~torch.from_numpy(mask)].any()
    moved = (module[3].weight.detach() != start).numpy()
    assert np.array_equal(moved, mask)


def test_masked_training_is_training_of_a_masked_copy() -> None:
    """The same steps by hand: multiply the mask onto weight and gradient after every step."""
    module, plain = net(), net()
    sparsify(module, "psconv:PSD4_P8")
    mask = torch.from_numpy(support(12, 8))
    with torch.no_grad():
        plain[3].weight *= mask
    train(module, torch.optim.SGD(module.parameters(), lr=0.01, momentum=0.9))
    hook = plain[3].weight.register_hook(lambda gradient: gradient * mask)
    train(plain, torch.optim.SGD(plain.parameters(), lr=0.01, momentum=0.9))
    hook.remove()
    assert torch.equal(module[3].weight, plain[3].weight)
    assert torch.equal(module[10].weight, plain[10].weight)


def test_infinite_and_undefined_stored_weights_do_not_leak() -> None:
    module = net()
    sparsify(module, "psconv:PSD4_P8")
    hidden = ~torch.from_numpy(support(12, 8))
    with torch.no_grad():
        module[3].parametrizations.weight.original[hidden] = float("inf")
    assert not module[3].weight[hidden].any()


def test_assigned_weights_are_masked() -> None:
    module = net()
    sparsify(module, "psconv:PSD4_P8")
    module[3].weight = torch.ones(12, 8, 3, 3)
    assert np.array_equal(nonzero(module[3]), support(12, 8))


def test_state_goes_round() -> None:
    module, other = net(), net()
    sparsify(module, "psconv:PSD4_P8")
    train(module, torch.optim.SGD(module.parameters(), lr=0.01))
    sparsify(other, "psconv:PSD4_P8")
    other.load_state_dict(module.state_dict())
    assert torch.equal(other[3].weight, module[3].weight)
    wrong = net()
    sparsify(wrong, "psconv:PSD2_P8")
    with pytest.raises(
        RuntimeError, match=r"3\.parametrizations\.weight\.0\.mask: the state was saved with an"
    ):
        wrong.load_state_dict(module.state_dict())


def test_baked_weights_are_plain_and_keep_their_zeros() -> None:
    module = net()
    names = list(module.state_dict())
    parameter = module[3].weight
    sparsify(module, "psconv:PSD4_P8")
    weight = module[3].weight.detach().clone()
    assert bake(module) == ("3",)
    assert list(module.state_dict()) == names
    assert type(module[3]) is nn.Conv2d
    assert module[3].weight is parameter
    assert torch.equal(module[3].weight, weight)
    assert bake(module) == ()
    train(module, torch.optim.SGD(module.parameters(), lr=0.01))
    assert nonzero(module[3]).all()


def test_a_copy_has_masks_of_its_own() -> None:
    module = net()
    sparsify(module, "psconv:PSD4_P8")
    twin, other = copy.deepcopy(module), copy.deepcopy(module)
    bake(twin)
    assert isinstance(module[3].parametrizations.weight[0], SupportMask)
    for each in (module, other):  # PyTorch's copies share a class
        assert torch.equal(each[3].weight, twin[3].weight)
    bake(module)
    train(other, torch.optim.SGD(other.parameters(), lr=0.01))
    assert np.array_equal(nonzero(other[3]), support(12, 8))


def test_a_second_scheme_changes_nothing() -> None:
    module = net()
    sparsify(module, "psconv:PSD4_P8")
    again = sparsify(module, "psconv:PSD1_P16")
    assert again.layers == ()
    assert Left("3", "has a sparse kernel already") in again.left
    assert str(again).endswith("no layer got a mask")
    assert np.array_equal(nonzero(module[3]), support(12, 8))


def test_other_dtypes_keep_theirs() -> None:
    module = net().double()
    sparsify(module, "psconv:PSD4_P8")
    assert module[3].weight.dtype == torch.float64
    assert module.half()[3].weight.dtype == torch.float16
    assert np.array_equal(nonzero(module[3]), support(12, 8))


MEMBERS = [member for info in SCHEMES.list() for member in kind_of(info.name).family]


#: Schemes that only remove weights.
MASKS = ("dense", "psconv", "psc", "nm", "block", "unstructured", "lean")


@pytest.mark.parametrize(
    "scheme", ["dense", "psconv:PS2_P6", "*.conv2=psconv:PSD1_P16; *=psc:kss=4,seed=3", *MEMBERS]
)
@pytest.mark.parametrize("model", ["digits_cnn", "resnet18-cifar10"])
def test_masks_and_reasons_are_those_of_the_graph(model: str, scheme: str) -> None:
    """Also random masks, which depend on the layers' names; schemes that replace layers are refused."""
    graph = load_model(model)
    module = ZooModule(graph)
    example = torch.zeros(graph.tensor(graph.inputs[0]).shape)
    rewrite = parse_scheme(scheme).apply(graph)
    if "=psc" not in scheme and scheme.partition(":")[0] not in MASKS:
        with pytest.raises(SchemeError, match="does more to a layer than to remove weights"):
            sparsify(module, scheme, example)
        assert not any("parametrizations" in name for name in module.state_dict())
        return
    done = sparsify(module, scheme, example)
    assert done.left == rewrite.left
    sparse = {
        n.name: n.op.kernel
        for n in rewrite.graph
        if isinstance(n.op, Conv2d | Linear) and n.op.kernel is not None
    }
    assert {layer.name: layer.kept for layer in done.layers} == {n: k.nonzeros for n, k in sparse.items()}
    assert [layer.scheme for layer in done.layers] == [rewrite.trace[n].scheme for n in sparse]
    for name, kernel in sparse.items():
        layer: Any = module.get_submodule(name)
        mask = layer.parametrizations.weight[0].mask.numpy()
        assert np.array_equal(mask, kernel.mask().reshape(mask.shape))
        assert mask.shape == layer.weight.shape


class _Crossed(nn.Module):
    """Defined in another order than it runs; one layer never runs."""

    def __init__(self) -> None:
        super().__init__()
        self.last = nn.Conv2d(4, 4, 3)
        self.first = nn.Conv2d(3, 4, 3)
        self.idle = nn.Conv2d(4, 4, 3)
        self.drop = nn.Dropout()

    def forward(self, x: Any) -> Any:
        return self.drop(self.last(self.first(x)))


def test_the_example_says_which_convolution_is_first() -> None:
    module = _Crossed()
    done = sparsify(module, "psconv:PS4_P4", torch.zeros(1, 3, 8, 8))
    assert done.order == "run"
    assert [layer.name for layer in done.layers] == ["last"]
    assert done.left == (Left("first", "first convolution"), Left("idle", "does not run on the example"))
    assert all(part.training for part in module.modules())
    defined = sparsify(_Crossed(), "psconv:PS4_P4")
    assert defined.order == "definition"
    assert [layer.name for layer in defined.layers] == ["first", "idle"]
    assert defined.left == (Left("last", "first convolution"),)


def test_the_example_changes_no_statistics() -> None:
    module = net().train()
    state = copy.deepcopy(module.state_dict())
    sparsify(module, "dense", torch.randn(4, 3, 8, 8))
    assert all(torch.equal(value, state[name]) for name, value in module.state_dict().items())


def test_shared_weights_are_left() -> None:
    module = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Conv2d(4, 4, 3), nn.Conv2d(4, 4, 3))
    module[2].weight = module[1].weight
    done = sparsify(module, "psconv")
    assert done.layers == ()
    assert done.left[1:] == (
        Left("1", "shares its weights with '2.weight'"),
        Left("2", "shares its weights with '1.weight'"),
    )


def test_a_module_used_twice_is_one_layer() -> None:
    twice = nn.Conv2d(4, 4, 3)
    done = sparsify(nn.Sequential(nn.Conv2d(3, 4, 3), twice, twice), "psconv")
    assert [layer.name for layer in done.layers] == ["1"]


def test_other_dimensions_are_left() -> None:
    module = nn.ModuleList([nn.Conv2d(3, 4, 3), nn.Conv1d(4, 4, 3), nn.Conv3d(4, 4, 3)])
    assert sparsify(module, "psconv").left == (
        Left("0", "first convolution"),
        Left("1", "Conv1d: not two-dimensional"),
        Left("2", "Conv3d: not two-dimensional"),
    )


@pytest.mark.parametrize(
    ("module", "scheme", "message"),
    [
        (nn.Conv2d, "psconv", "a module is wanted, not its class: write Conv2d()"),
        ("resnet18", "psconv", "a torch.nn.Module is wanted, not str"),
        (nn.Linear(3, 2), "psconv", "Linear has no Conv2d that psconv:PSD4_P8 could make sparse (Linear)"),
        (nn.ReLU(), "psconv", "ReLU has no Conv2d that psconv:PSD4_P8 could make sparse (no weighted layer)"),
        (nn.LazyConv2d(3, 3), "psconv", "layer 'LazyConv2d' has no shape before its first run: run the mod"),
    ],
)
def test_wrong_modules(module: Any, scheme: str, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        sparsify(module, scheme)
    assert str(caught.value).startswith(message)


@pytest.mark.filterwarnings("ignore:.*TorchScript:Warning", "ignore:`torch.jit")
def test_scripts_are_refused() -> None:
    with pytest.raises(UsageError, match="a compiled TorchScript module cannot be read"):
        sparsify(torch.jit.script(net()), "psconv")


def test_wrong_schemes() -> None:
    with pytest.raises(UnknownNameError, match=r"^unknown scheme 'psconf'; did you mean 'psconv'\?$"):
        sparsify(net(), "psconf")
    with pytest.raises(SchemeError, match="names 2"):
        sparsify(net(), "dense,psconv")
    with pytest.raises(SchemeError, match=r"^rule 'layer\*' matches no layer with weights of 'Sequential'"):
        sparsify(net(), "layer*=psconv;")


@pytest.mark.parametrize(
    ("example", "message"),
    [
        (
            torch.zeros(1, 4, 8, 8),
            "Sequential cannot be run on the example of 1x4x8x8: RuntimeError: ",
        ),
        ((3, 8, 8), "the example is a tensor (or a tuple of tensors), batch first, not int, int, int"),
        ((), "the example is a tensor (or a tuple of tensors), batch first, not nothing"),
    ],
)
def test_wrong_examples(example: Any, message: str) -> None:
    module = net()
    with pytest.raises(UsageError) as caught:
        sparsify(module, "psconv", example)
    assert str(caught.value).startswith(message)
    assert all(part.training for part in module.modules())


def test_a_weight_with_another_parametrization_is_not_baked() -> None:
    module = net()
    sparsify(module, "psconv")
    nn.utils.parametrizations.spectral_norm(module[3])
    assert not module[3].weight[~torch.from_numpy(support(12, 8))].any()
    with pytest.raises(UsageError, match="the weight of layer '3' has other parametrizations"):
        bake(module)
