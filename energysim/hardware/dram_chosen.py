"""The DRAM devices that a specification names: read, put in place, and checked against its bus."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

from energysim.errors import EnergysimError
from energysim.hardware.dram_files import load_device
from energysim.hardware.dram_system import DramSystem
from energysim.hardware.quantities import Quantity
from energysim.hardware.spec_blocks import Given
from energysim.hardware.yaml_nodes import Node, Problem
from energysim.units import engineering

__all__ = ["chosen_device"]


def chosen_device(spec: Given, tree: Node) -> list[Problem]:
    """Put the `DramSystem` of a validated specification into it; return what is wrong with it.

    Parameters
    ----------
    spec : dict
        Its ``levels.dram.device`` gets the key ``system``.
    tree : Node
        The same with positions; files are relative to the one that names the device.
    """
    level = spec["levels"]["dram"] if isinstance(spec["levels"], dict) else spec["levels"][0]
    given = level.get("device")
    if not given:
        return []
    node = _at(tree, "levels", "dram", "device")
    named = node.value["name"] if isinstance(node.value, dict) else node
    try:
        device = load_device(given["name"], Path(named.at.file).parent)
    except EnergysimError as error:
        return [Problem(named.at, "levels.dram.device", str(error))]
    bus, width, stated = level["word_bits"], device.width_bits, given["devices_per_rank"]
    count = bus // width
    if bus % width or stated not in (None, count):
        some = f"{stated} devices" if stated else "devices"
        what = (
            f"{some} of {width} bit are no bus of {bus} bit, the 'word_bits'; "
            f"a rank has word_bits / {width} devices"
        )
        return [Problem(node.at, "levels.dram.device", what)]
    given["system"] = DramSystem(
        device, given["channels"], given["ranks"], count, given["mapping"], given["row_policy"]
    )
    peak = given["channels"] * count * device.bits_per_second
    wanted = _per_second(level["bandwidth"], spec)
    if wanted is not None and wanted > peak:
        what = (
            f"{engineering(wanted, 'bit/s')} are more than the {engineering(peak, 'bit/s')} of these devices"
        )
        return [Problem(_at(tree, "levels", "dram", "bandwidth").at, "levels.dram.bandwidth", what)]
    return []


def _per_second(bandwidth: Given | None, spec: Given) -> Fraction | None:
    if bandwidth is None:
        return None
    limit: Quantity = bandwidth["value"]
    clock: Fraction = spec["clock"]["value"].value
    return limit.value if limit.unit == "bit/s" else limit.value * clock


def _at(node: Node, *keys: str) -> Node:
    for key in keys:
        if isinstance(node.value, list):  # the parts of a hierarchy, the outermost first
            node = node.value[0]
            continue
        assert isinstance(node.value, dict)
        node = node.value[key]
    return node
