"""Energies on the chip of one technology node at another: stated by a specification, never by default.

The energy of a switching circuit is proportional to ``a2 V^2 + a1 V + a0`` at the supply voltage V, with
coefficients for each node: Stillmaker and Baas, "Scaling equations for the accurate prediction of CMOS
device performance from 180 nm to 7 nm", Integration 58, 2017, 74-81, doi:10.1016/j.vlsi.2017.02.002,
equation for energy and Table 5: bulk transistors down to 65 nm, high-performance ones from there. The
table was read in public programs that hold it (wromaszkan/nodeScale; Accelergy-Project/hwcomponents
without 45 and 32 nm), which agree; the rows of 65 and 32 nm also in the authors' correction of their
example. They are fits to simulated inverters: wires and memories of a real chip scale less.

Neither DRAM nor leakage is scaled, and nothing but energy: clock and bandwidths stay as stated.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, is_dataclass, replace
from decimal import Decimal
from fractions import Fraction
from typing import Any, TypeVar

from energysim.errors import SpecError
from energysim.hardware.core import Constant, Hardware
from energysim.hardware.yaml_nodes import Node, Problem
from energysim.units import AJ_PER_PJ

__all__ = ["NODES_NM", "energy_factor", "least_volts", "scaled", "scaling_problems"]

#: Node [nm] -> a2, a1, a0 of the energy of an operation.
_COEFFICIENTS = {
    130: ("7.171", "-6.709", "2.904"),
    90: ("4.762", "-4.781", "2.092"),
    65: ("3.755", "-4.398", "1.975"),
    45: ("1.018", "-0.3107", "0.1539"),
    32: ("0.8367", "-0.4341", "0.1701"),
    20: ("0.373", "-0.1582", "0.04104"),
    16: ("0.2958", "-0.1241", "0.03024"),
    14: ("0.2363", "-0.09675", "0.02239"),
    10: ("0.2068", "-0.09311", "0.02375"),
    7: ("0.1776", "-0.09097", "0.02447"),
}
NODES_NM = tuple(_COEFFICIENTS)

_SOURCE = "scaled by Stillmaker, Baas (2017), Integration 58, Table 5, doi:10.1016/j.vlsi.2017.02.002"

Part = TypeVar("Part")


def energy_factor(node_nm: int, volts: Fraction) -> Fraction:
    """Return the energy of an operation at a node [relative, the same unit for all nodes].

    Parameters
    ----------
    node_nm : int
        One of `NODES_NM`.
    volts : Fraction
        Supply voltage [V].
    """
    a2, a1, a0 = (Fraction(Decimal(number)) for number in _COEFFICIENTS[node_nm])
    return a2 * volts * volts + a1 * volts + a0


def least_volts(node_nm: int) -> Fraction:
    """Return the voltage below which the fit falls as the voltage rises [V]: no energy does so."""
    a2, a1, _ = (Fraction(Decimal(number)) for number in _COEFFICIENTS[node_nm])
    return -a1 / (2 * a2)


def scaling_problems(spec: dict[str, Any], tree: Node) -> list[Problem]:
    """Return what is wrong with the scaling that a validated specification asks for.

    Parameters
    ----------
    spec : dict
    tree : Node
        The same with positions.
    """
    given = spec["node_scaling"]
    if given is None:
        return []
    assert isinstance(tree.value, dict)
    node = tree.value["node_scaling"]
    assert isinstance(node.value, dict)
    known = ", ".join(map(str, NODES_NM))
    problems = []
    if spec["node_nm"] not in NODES_NM:
        stated = f"{spec['node_nm']} nm" if spec["node_nm"] else "no node_nm"
        what = f"the specification has {stated}; factors are known from and to {known} nm"
        problems.append(Problem(node.at, "node_scaling", what))
    if given["to_nm"] not in NODES_NM:
        what = f"no factor is known for {given['to_nm']} nm, only for {known}"
        problems.append(Problem(node.value["to_nm"].at, "node_scaling.to_nm", what))
    for key, nanometres in (("from_voltage", spec["node_nm"]), ("to_voltage", given["to_nm"])):
        if nanometres in NODES_NM and given[key].value <= least_volts(nanometres):
            what = (
                f"{float(given[key].value):g} V is outside the fit for {nanometres} nm: its energy rises "
                f"with the voltage from {float(least_volts(nanometres)):.2f} V only"
            )
            problems.append(Problem(node.value[key].at, f"node_scaling.{key}", what))
    return problems


def scaled(hardware: Hardware, to_nm: int, from_volts: Fraction, to_volts: Fraction) -> Hardware:
    """Return the hardware with all its energies but those of DRAM and leakage at another node.

    Parameters
    ----------
    hardware : Hardware
    to_nm : int
        One of `NODES_NM`, as is the node of the hardware.
    from_volts, to_volts : Fraction
        Supply voltages of the two nodes [V].

    Raises
    ------
    SpecError
        If an energy is of another node than the hardware.
    """
    from_nm = hardware.node_nm
    assert from_nm is not None
    factor = energy_factor(to_nm, to_volts) / energy_factor(from_nm, from_volts)
    change = f"from {from_nm} nm at {float(from_volts):g} V to {to_nm} nm at {float(to_volts):g} V"
    scaling = _Scaling(hardware.name, from_nm, to_nm, factor, f"x {float(factor):.4g}, {change}")
    described = f"{hardware.description}; energies on chip scaled {change}".removeprefix("; ")
    return replace(scaling.applied(hardware), node_nm=to_nm, description=described)


@dataclass(frozen=True)
class _Scaling:
    """What becomes of each constant of a piece of hardware."""

    name: str
    from_nm: int
    to_nm: int
    factor: Fraction
    note: str

    def applied(self, part: Part) -> Part:
        """Return a part with its energies scaled, however deep they are."""
        return self._applied(part)  # type: ignore[no-any-return]

    def _applied(self, part: Any) -> Any:
        if isinstance(part, Constant):
            return self._constant(part)
        if isinstance(part, tuple):
            return tuple(self._applied(item) for item in part)
        if not is_dataclass(part) or isinstance(part, type):
            return part
        inner = {f.name: self._applied(getattr(part, f.name)) for f in fields(part)}
        changed = {name: value for name, value in inner.items() if value is not getattr(part, name)}
        return replace(part, **changed)

    def _constant(self, constant: Constant) -> Constant:
        path = constant.path
        if constant.unit != "pJ" or path.startswith("levels.dram.") or path.split(".")[-1] == "leakage":
            return constant
        if constant.node_nm not in (None, self.from_nm):
            raise SpecError(
                f"hardware {self.name!r}: node_scaling starts from its {self.from_nm} nm, but {path} is an "
                f"energy at {constant.node_nm} nm"
            )
        return replace(
            constant,
            value=Fraction(round(constant.value * self.factor * AJ_PER_PJ), AJ_PER_PJ),
            source="; ".join(text for text in (constant.source, _SOURCE) if text),
            kind="assumed" if constant.kind == "assumed" else "derived",
            node_nm=self.to_nm,
            note="; ".join(text for text in (self.note, constant.note) if text),
        )
