"""A validated specification for the cost model ``hierarchy`` becomes a `HierarchyHardware`."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from energysim.errors import SpecError, near_miss
from energysim.hardware.builder import Builder, Given
from energysim.hardware.core import Array, Hardware, MemoryLevel, Partitions, RegisterAccesses
from energysim.hardware.dataflows import DATAFLOWS, Dataflow
from energysim.hardware.hierarchy import (
    DIMENSIONS,
    TENSORS,
    Hierarchy,
    HierarchyHardware,
    SpatialAxis,
    TemporalLevel,
)

__all__ = ["HierarchyBuilder"]

#: Rules that belong to the hierarchy; all others are those of every cost model.
_OWN_RULES = ("returned_sums",)
#: Spaces of mappings, and the rule for tiles that each stands for.
_SPACES = {"divisors": "divisors", "imperfect": "all"}


class HierarchyBuilder(Builder):
    """Collects the constants in the order of the hierarchy."""

    #: The outermost level if it is made of devices.
    devices: MemoryLevel | None = None

    def hardware(self, spec: Given) -> Hardware:
        """Return the hardware of a specification."""
        clock = self.constant(spec["clock"], "clock").value
        nodes: list[TemporalLevel | SpatialAxis] = []
        flow, axes = DATAFLOWS[spec["dataflow"]], 0
        for given in spec["levels"]:
            inside = flow if axes == 2 else DATAFLOWS["free"]
            nodes.append(self.temporal(_flowing(given, inside), clock))
            for axis in spec["axes"]:
                if axis["below"] == given["name"]:
                    nodes.append(self.axis(axis, (flow.columns, flow.rows, DIMENSIONS)[min(axes, 2)]))
                    axes += 1
        mac = tuple((w, self.constant(given, f"mac.{w}")) for w, given in sorted(spec["mac"].items()))
        vector_op = self.constant(spec["vector_op"], "vector_op")
        leakage = self.constant(spec["leakage"], "leakage") if spec["leakage"] else None
        own = {name: str(value) for name, value in spec["rules"].items() if name in _OWN_RULES}
        hierarchy = Hierarchy(tuple(nodes), leakage, tuple(sorted(own.items())))
        outermost, buffer = hierarchy.levels[:2]
        zeros = self.zeros(spec["zeros"], buffer.name)
        return HierarchyHardware(
            name=spec["name"],
            description=spec["description"],
            cost_model=spec["cost_model"],
            node_nm=spec["node_nm"],
            clock_hz=clock,
            weight_bits=spec["bits"]["weights"],
            activation_bits=spec["bits"]["activations"],
            accumulator_bits=spec["bits"]["accumulators"],
            dram=self.devices or _plain("dram", outermost),
            buffer=_plain("buffer", buffer),
            mac=mac,
            register=(),
            register_accesses=RegisterAccesses(),
            vector_op=vector_op,
            array=Array(hierarchy.lanes, 1, 1),
            rules=_rules(spec["rules"]),
            constants=tuple(self.constants),
            hierarchy=hierarchy,
            **zeros,
        )

    def temporal(self, given: Given, clock_hz: Fraction) -> TemporalLevel:
        """Return a level; energies that are not given are those of a write."""
        path = f"levels.{given['name']}"
        capacity = None
        if given["capacity"] is not None:
            capacity = int(self.constant(given["capacity"], f"{path}.capacity").value)
        kinds = ["bandwidth", "read_bandwidth", "write_bandwidth"]
        energies: Given
        if given["device"] is not None:
            self.devices = self.dram(given, clock_hz)
            read, write, word = self.devices.read, self.devices.write, self.devices.word_bits
            energies = {"read": read, "fill": write, "update": write}
            limits: Given = {kinds.pop(0): self.devices.bandwidth}
        else:
            word, limits = given["word_bits"], {}
            read, write = self.energies(given, path, capacity)
            energies = {"read": read, "fill": write, "update": write}
            for action in ("fill", "update"):
                if given[action]:
                    energies[action] = self.constant(given[action], f"{path}.{action}")
        limits |= {kind: self.bandwidth(given[kind], f"{path}.{kind}", clock_hz) for kind in kinds}
        ramp_up = [
            (tensor, rate)
            for tensor, stated in (given["ramp_up"] or {}).items()
            if (rate := self.bandwidth(stated, f"{path}.ramp_up.{tensor}", clock_hz)) is not None
        ]
        parts = given["partitions"]
        return TemporalLevel(
            name=given["name"],
            capacity_bits=capacity,
            word_bits=word,
            **energies,
            **limits,
            keep=_ordered(given["keep"]),
            bypass=_ordered(given["bypass"]),
            loops=DIMENSIONS if given["loops"] is None else "".join(given["loops"]),
            partitions=Partitions(**{key: int(size.value) for key, size in parts.items()}) if parts else None,
            double_buffered=given["double_buffered"],
            leakage=self.constant(given["leakage"], f"{path}.leakage") if given["leakage"] else None,
            ramp_up=tuple(ramp_up),
        )

    def axis(self, given: Given, loops: str = DIMENSIONS) -> SpatialAxis:
        """Return an axis, with the loops of the dataflow unless it states its own."""
        path = f"axes.{given['name']}"
        return SpatialAxis(
            name=given["name"],
            size=int(self.constant(given["size"], f"{path}.size").value),
            loops=loops if given["loops"] is None else "".join(given["loops"]),
            shared=_ordered(given["shared"]),
            diagonal=given["diagonal"],
            network=self.constant(given["network"], f"{path}.network") if given["network"] else None,
            word_bits=given["word_bits"] or 1,
        )


def _flowing(given: Given, flow: Dataflow) -> Given:
    """A level with what its dataflow says, unless it says so itself."""
    found = dict(given)
    if found["loops"] is None:
        found["loops"] = list(flow.inside)
    if not found["keep"] and not found["bypass"] and set(flow.kept) != set(TENSORS):
        found["keep"] = list(flow.kept)
        found["bypass"] = [tensor for tensor in TENSORS if tensor not in flow.kept]
    return found


def _rules(given: Given) -> tuple[tuple[str, Any], ...]:
    """The rules of every cost model; tiles divide dimensions unless the specification says otherwise."""
    plain = {name: value for name, value in given.items() if name not in (*_OWN_RULES, "space")}
    space = given.get("space")
    if space is not None:
        if space not in _SPACES:
            hint = near_miss(str(space), _SPACES)
            raise SpecError(f"rules: space takes {' or '.join(_SPACES)}, not {space!r}{hint}")
        if "tiles" in plain:
            raise SpecError("rules: 'space' and 'tiles' say the same; give one of them")
        plain["tiles"] = _SPACES[space]
    return tuple(sorted({"tiles": "divisors", **plain}.items()))


def _ordered(tensors: list[str]) -> tuple[str, ...]:
    return tuple(tensor for tensor in TENSORS if tensor in tensors)


def _plain(name: str, level: TemporalLevel) -> MemoryLevel:
    """Return a level as layers without multiplications see it: results are written as updates."""
    given: list[Any] = [level.bandwidth, level.read_bandwidth, level.write_bandwidth]
    limits = [limit for limit in given if limit is not None]
    slowest = min(limits, key=lambda limit: limit.value) if limits else None
    return MemoryLevel(name, level.capacity_bits, level.word_bits, level.read, level.update, slowest)
