"""The zoo's index, and the names that users write rules with."""

from __future__ import annotations

from fnmatch import fnmatchcase
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

import pytest

from energysim import zoo
from energysim.errors import ModelError, ShapeError
from energysim.graph import Conv2d, Linear
from energysim.resources import data_folder
from energysim.zoo import load_model, model_names

FOLDER = data_folder("models")


def load(path: Path) -> ModuleType:
    spec = spec_from_file_location(f"zoo_{path.stem}", path)
    assert spec is not None and spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_families_equal_the_models_of_the_files() -> None:
    families = load(FOLDER / "__init__.py").FAMILIES
    files = sorted(p for p in FOLDER.glob("*.py") if p.stem != "__init__")
    assert families == {path.stem: tuple(load(path).MODELS) for path in files}
    names = [name for family in families.values() for name in family]
    assert len(names) == len(set(names))
    assert sorted(names) == model_names()


@pytest.mark.parametrize("path", sorted(FOLDER.glob("[a-z]*.py")), ids=lambda p: p.stem)
def test_files_name_their_source(path: Path) -> None:
    text = load(path).__doc__ or ""
    assert "et al." in text or " and " in text
    assert any(f"{year}" in text for year in range(2012, 2030))
    assert len(path.read_text().splitlines()) <= 120


@pytest.mark.parametrize("name", model_names())
def test_graph_bears_the_models_name(name: str) -> None:
    graph = load_model(name)
    assert graph.name == name
    assert graph.inputs == ("input",)
    assert graph.batch == 1


@pytest.mark.parametrize(
    ("name", "pattern", "count"),
    [
        ("vgg16", "features.conv*", 13),
        ("vgg16", "classifier.fc?", 3),
        ("vgg16-cifar10", "features.*", 13),
        ("vgg16-cifar10", "classifier.*", 1),
        ("alexnet", "features.*", 5),
        ("resnet18", "layer?.*.conv?", 16),
        ("resnet18", "*.downsample.conv", 3),
        ("resnet50", "layer3.*.conv2", 6),
        ("resnet50", "fc", 1),
        ("mobilenet_v1", "features.*.pointwise.conv", 13),
        ("mobilenet_v2", "features.*.depthwise.conv", 17),
        ("mobilenet_v2", "features.*.expand.conv", 16),
        ("mobilenet_v2-cifar10", "features.*.shortcut.conv", 4),
        ("squeezenet1_1", "features.fire*.expand3x3", 8),
        ("shufflenet_v2_x1_0", "stage?.*.branch2.depthwise.conv", 16),
        ("densenet121", "features.denseblock3.*.conv2", 24),
        ("densenet121", "features.transition?.conv", 3),
        ("googlenet", "inception4?.branch2.1.conv", 5),
        ("vit_b_16", "encoder.layers.*.attention.*", 24),
        ("vit_b_16", "encoder.layers.*.mlp.fc?", 24),
    ],
)
def test_globs_reach_the_layers_they_name(name: str, pattern: str, count: int) -> None:
    graph = load_model(name)
    weighted = [n.name for n in graph if isinstance(n.op, Conv2d | Linear)]
    assert len([n for n in weighted if fnmatchcase(n, pattern)]) == count


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("vgg16", {"Activation": 15, "Pool2d": 5, "AdaptivePool2d": 1, "Dropout": 2, "Flatten": 1}),
        ("vgg16-tiny", {"Activation": 13, "BatchNorm": 13, "Pool2d": 5}),
        ("resnet50", {"Activation": 49, "BatchNorm": 53, "Add": 16, "Pool2d": 1}),
        ("mobilenet_v2", {"Activation": 35, "BatchNorm": 52, "Add": 10, "Dropout": 1}),
        ("squeezenet1_0", {"Activation": 26, "Concat": 8, "Pool2d": 3, "BatchNorm": 0}),
        ("shufflenet_v2_x1_0", {"Concat": 16, "ChannelShuffle": 16, "Split": 13, "BatchNorm": 56}),
        ("densenet121", {"Concat": 58, "BatchNorm": 121, "Activation": 121, "Pool2d": 4}),
        ("googlenet", {"Concat": 9, "Pool2d": 13, "BatchNorm": 57, "Activation": 57}),
        ("alexnet_grouped", {"LocalResponseNorm": 2, "Pool2d": 3, "AdaptivePool2d": 0}),
        ("vit_b_16", {"LayerNorm": 25, "Softmax": 12, "MatMul": 24, "Add": 24, "LearnedAdd": 1}),
    ],
)
def test_everything_else_is_there_too(name: str, expected: dict[str, int]) -> None:
    kinds = [node.op.kind for node in load_model(name)]
    assert {kind: kinds.count(kind) for kind in expected} == expected


@pytest.mark.parametrize(
    ("name", "node"),
    [
        ("alexnet", "features.conv1"),
        ("vgg16", "features.pool3"),
        ("vgg16-tiny", "features.pool3"),
        ("resnet18-tiny", "avgpool"),
        ("mobilenet_v2-tiny", "avgpool"),
        ("shufflenet_v2_x1_5-tiny", "avgpool"),
        ("squeezenet1_0", "features.conv1"),
        ("densenet121", "features.transition2.pool"),
    ],
)
def test_too_small_an_input_names_the_layer(name: str, node: str) -> None:
    with pytest.raises(ShapeError, match=rf"^node '{node}' .* does not fit .* gives 1x"):
        load_model(name, input=(3, 6, 6))


def test_unknown_variant() -> None:
    message = r"vgg\.py:\d+: build\(input=\(3, 6, 6\), depth=12\) failed: KeyError: 12"
    with pytest.raises(ModelError, match=message):
        zoo._build(load(FOLDER / "vgg.py"), {"input": (3, 6, 6), "depth": 12}, "vgg")


def test_patches_must_tile_the_input() -> None:
    with pytest.raises(ShapeError, match="patches of 16 x 16 do not tile an input of 100 x 224"):
        load_model("vit_b_16", input=(3, 100, 224))
