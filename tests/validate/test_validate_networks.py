"""Compact equals masked dense on the papers' networks, for every variant."""

from __future__ import annotations

from pathlib import Path

import pytest

from energysim.validate import validate

VARIANTS = ("PS4_P4", "PS2_P6", "PS1_P9", *(f"PSD{kss}_P{p}" for kss in (4, 2, 1) for p in (8, 16)))
ALL = ",".join([*(f"psconv:{name}" for name in VARIANTS), "psc:kss=4", "psc:kss=1,seed=3"])

PATTERNS = """\
schema: energysim-patterns/1
window: [3, 3]
slots:
  - "010 111 010"
  - "100 010 001"
  - "000 000 000"
  - "111 111 111"
"""


@pytest.mark.parametrize(
    ("model", "scheme"),
    [
        ("resnet18-cifar10", "psconv:PSD4_P8"),
        ("resnet18-cifar10", "psc:kss=2"),
        ("vgg16-cifar10", "psconv:PS1_P9"),
    ],
)
def test_float32(model: str, scheme: str) -> None:
    found = validate(model, scheme, inputs=1)
    assert found.passed, found.problems
    worst = max(row.relative_error or 0 for s in found.schemes for row in s.layers)
    assert 0 < worst < 2e-5
    assert found.schemes[1].macs < found.schemes[0].macs


def test_integers() -> None:
    found = validate("resnet18-cifar10", "psconv:PSD2_P8", mode="int8", inputs=1)
    assert found.passed, found.problems
    assert all(row.differing == 0 for s in found.schemes for row in s.layers)


def test_custom_patterns(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(PATTERNS)
    found = validate("resnet18-cifar10", f"psconv:patterns={path}", inputs=1)
    assert found.passed, found.problems
    assert found.schemes[1].layers[1].format == "periodic"


def test_the_fast_path_and_its_overhead() -> None:
    pytest.importorskip("numba")
    found = validate("resnet18-cifar10", "psconv:PSD4_P8", path="fast", inputs=1)
    assert found.passed, found.problems
    assert any(row.overhead_macs for row in found.schemes[1].layers)
    assert not any(s.transforms for s in found.schemes)


@pytest.mark.slow
@pytest.mark.parametrize("model", ["resnet18-cifar10", "vgg16-cifar10"])
@pytest.mark.parametrize("mode", ["float32", "int8", "int16"])
def test_every_variant(model: str, mode: str) -> None:
    found = validate(model, ALL, mode=mode, inputs=4)
    assert found.passed, found.problems
    assert len(found.schemes) == 1 + len(VARIANTS) + 2


@pytest.mark.slow
@pytest.mark.parametrize("model", ["resnet18-tiny", "vgg16-tiny", "resnet18"])
def test_every_variant_on_larger_images(model: str) -> None:
    found = validate(model, ALL, inputs=1)
    assert found.passed, found.problems


@pytest.mark.slow
@pytest.mark.parametrize(
    ("model", "mode"),
    [("vgg16", "float32"), ("vgg16", "int8"), ("resnet18", "int8"), ("vgg16-tiny", "int16")],
)
def test_larger_images(model: str, mode: str) -> None:
    """One variant of each support size, with a dense slot and without, whatever the period."""
    found = validate(model, "psconv:PSD4_P8,psconv:PSD2_P16,psconv:PS1_P9", mode=mode, inputs=1)
    assert found.passed, found.problems


@pytest.mark.slow
@pytest.mark.parametrize("model", ["resnet18-cifar10", "vgg16-cifar10"])
def test_every_variant_on_the_fast_path(model: str) -> None:
    pytest.importorskip("numba")
    found = validate(model, ALL, path="fast", inputs=4)
    assert found.passed, found.problems
    turned = validate(model, "psconv", path="fast", winograd=True, inputs=2)
    assert turned.passed, turned.problems
    assert turned.schemes[0].transforms
    assert "MACs not counted" in turned.render()


@pytest.mark.slow
@pytest.mark.parametrize(
    "model", ["mobilenet_v2", "densenet121", "googlenet", "shufflenet_v2_x1_0", "alexnet_grouped", "resnet50"]
)
def test_other_families(model: str) -> None:
    found = validate(model, "psconv:windows=all", inputs=1)
    assert found.passed, found.problems
