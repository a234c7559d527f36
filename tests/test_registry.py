"""Plug-ins: built-in names, entry points of installed packages, unknown names."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from energysim import __version__
from energysim.cost import COST_MODELS
from energysim.errors import EnergysimError, UnknownNameError
from energysim.formats import FORMATS
from energysim.registry import PluginInfo, Registry
from energysim.schemes import SCHEMES

THINGS = Registry("thing", "energysim.test_things", {"pi": "math:pi", "e": "math:e"})


@pytest.fixture
def plugin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An installed package with three entry points, one of them broken, one in the way of a built-in."""
    (tmp_path / "things_pack.py").write_text("tau = 6.28\nclass Two: pass\n")
    info = tmp_path / "things_pack-2.5.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: things-pack\nVersion: 2.5\n")
    (info / "entry_points.txt").write_text(
        "[energysim.test_things]\ntau = things_pack:tau\nbroken = things_pack:missing\npi = things_pack:tau\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "things_pack", raising=False)


def test_built_in_names() -> None:
    assert THINGS.get("pi") == pytest.approx(3.14159, abs=1e-5)
    assert THINGS.list() == [
        PluginInfo("e", "energysim", __version__),
        PluginInfo("pi", "energysim", __version__),
    ]


@pytest.mark.usefixtures("plugin")
def test_entry_points_are_found_and_never_hide_a_built_in() -> None:
    assert THINGS.get("tau") == 6.28
    assert THINGS.get("pi") < 3.2
    assert [i.name for i in THINGS.list()] == ["e", "pi", "broken", "tau"]
    assert THINGS.list()[-1] == PluginInfo("tau", "things-pack", "2.5")


@pytest.mark.usefixtures("plugin")
def test_a_broken_plugin_names_its_package() -> None:
    with pytest.raises(EnergysimError, match="thing 'broken' of things-pack cannot be loaded"):
        THINGS.get("broken")


@pytest.mark.usefixtures("plugin")
def test_unknown_name_offers_plugins_too() -> None:
    with pytest.raises(UnknownNameError, match=r"unknown thing 'taw'; did you mean 'tau'\?"):
        THINGS.get("taw")


@pytest.mark.parametrize("registry", [COST_MODELS, FORMATS, SCHEMES], ids=lambda r: r.kind)
def test_every_built_in_can_be_loaded(registry: Registry) -> None:
    for name in registry.builtin:
        assert callable(registry.get(name)) or registry.get(name) is not None
