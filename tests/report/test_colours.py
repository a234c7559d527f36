"""One colour per memory level: the same in every report, and no two alike in one."""

from __future__ import annotations

import random

import pytest

from energysim.hardware import load_hardware
from energysim.hardware.hierarchy import HierarchyHardware
from energysim.report import LEVELS
from energysim.report.colours import LEVEL_COLOURS, colours
from energysim.resources import data_folder

SPECS = sorted(path.stem for path in data_folder("hwspecs").glob("*.yaml"))


def level_names(name: str) -> list[str]:
    """Levels and axes of a specification, with those that every report has."""
    spec = load_hardware(name)
    nodes = spec.hierarchy.nodes if isinstance(spec, HierarchyHardware) else ()
    return [*LEVELS, *(node.name for node in nodes)]


@pytest.mark.parametrize("spec", SPECS)
def test_levels_of_one_specification_have_different_colours(spec: str) -> None:
    found = colours(level_names(spec))
    assert len(set(found.values())) == len(found)


@pytest.mark.parametrize("spec", SPECS)
def test_a_level_has_its_colour_on_every_hardware(spec: str) -> None:
    for name, colour in colours(level_names(spec)).items():
        assert colour == LEVEL_COLOURS.get(name, colour)


def test_levels_of_every_report_have_the_colours_of_okabe_and_ito() -> None:
    assert colours(LEVELS) == {
        "mac": "#E69F00",
        "register": "#56B4E9",
        "buffer": "#009E73",
        "dram": "#0072B2",
        "vector": "#CC79A7",
    }


def test_free_names_do_not_depend_on_the_order() -> None:
    names = [*LEVELS, *(f"level{n}" for n in range(20))]
    shuffled = random.Random(1).sample(names, len(names))
    assert colours(shuffled) == colours(names)
    assert list(colours(shuffled)) == shuffled
    assert len(set(colours(names).values())) == len(names)


def test_a_free_name_leaves_known_ones_alone() -> None:
    assert colours(["aaa", "dram"])["dram"] == LEVEL_COLOURS["dram"]


def test_two_names_that_share_a_colour_are_told_apart_where_they_meet() -> None:
    found = colours(["rf", "spad", "dram"])
    assert len(set(found.values())) == 3


def test_more_levels_than_colours_repeat() -> None:
    assert set(colours(f"l{n:02}" for n in range(60)).values()) == set(
        colours(f"l{n:02}" for n in range(26)).values()
    )


def test_tints_are_half_way_to_white() -> None:
    # The tenth free name is the first tint: (0xD5 + 255) // 2, (0x5E + 255) // 2, (0 + 255) // 2.
    assert colours("abcdefghij")["j"] == "#EAAE7F"
