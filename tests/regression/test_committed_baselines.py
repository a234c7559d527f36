"""The baselines of this repository: complete, small, and what the engine makes of them today.

``energysim check reports/baselines`` checks all of them; by default a selection is checked here.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from support import HOME

from energysim.hardware import hardware_names
from energysim.regression import read_baseline
from energysim.regression.baseline_json import render_baseline
from energysim.regression.fixture import EnergyBaseline
from energysim.zoo import model_names

FOLDER = Path(HOME) / "reports" / "baselines"

pytestmark = pytest.mark.skipif(not FOLDER.is_dir(), reason="not a checkout")

SCHEMES = ("dense", "psconv:PSD4_P8", "psconv:PSD1_P16")
TWO_LEVEL = ("edge45", "eyeriss", "teaching")
#: Networks on a memory hierarchy; each searches the mappings of all its layers.
HIERARCHY = {"eyeriss168": ("alexnet", "mobilenet_v1", "resnet18-cifar10")}

UNIT = [f"unit-{hardware}" for hardware in hardware_names()]
NETWORKS = [f"{model}-{hardware}" for hardware in TWO_LEVEL for model in model_names()]
NETWORKS += [f"{model}-{hardware}" for hardware, models in HIERARCHY.items() for model in models]

#: Plain, residual, depthwise, attention, dense connections; each hardware.
SELECTION = (
    "vgg16-cifar10-edge45",
    "resnet18-eyeriss",
    "mobilenet_v2-teaching",
    "vit_b_16-edge45",
    "densenet121-eyeriss",
    "alexnet-eyeriss168",
)


def create(name: str) -> str:
    """The command that creates a baseline."""
    path = f"-o reports/baselines/{name}.json"
    if name in UNIT:
        return f"energysim baseline create --hardware {name.removeprefix('unit-')} {path}"
    hardware = next(h for h in (*TWO_LEVEL, *HIERARCHY) if name.endswith(f"-{h}"))
    model = name.removesuffix(f"-{hardware}")
    return f"energysim baseline create {model} --hardware {hardware} --sparsity {','.join(SCHEMES)} {path}"


@pytest.mark.parametrize("name", [*UNIT, *NETWORKS])
def test_there(name: str) -> None:
    path = FOLDER / f"{name}.json"
    assert path.is_file(), f"missing: {create(name)}"
    text = path.read_text("utf-8")
    assert len(text) < 50_000
    found = read_baseline(path)
    assert render_baseline(found) == text
    assert found.recipe is not None
    if name in UNIT:
        assert not found.network
        return
    assert tuple(found.table) == found.recipe.sparsity == SCHEMES
    assert f"{found.recipe.model}-{found.recipe.hardware}" == name
    cost_model = "hierarchy" if found.hardware in HIERARCHY else "two-level"
    assert found.inputs["settings"]["cost_model"] == cost_model


def test_no_other_files() -> None:
    assert {path.stem for path in FOLDER.iterdir()} == {*UNIT, *NETWORKS}


@pytest.mark.parametrize("name", UNIT)
def test_unit_costs(name: str, energy_baseline: EnergyBaseline) -> None:
    """Checked before the networks, so that a changed constant explains what follows."""
    energy_baseline.check_file(FOLDER / f"{name}.json")


@pytest.mark.parametrize("name", SELECTION)
def test_selected_networks(name: str, energy_baseline: EnergyBaseline) -> None:
    energy_baseline.check_file(FOLDER / f"{name}.json")


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in NETWORKS if name not in SELECTION])
def test_networks(name: str, energy_baseline: EnergyBaseline) -> None:
    energy_baseline.check_file(FOLDER / f"{name}.json")
