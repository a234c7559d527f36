"""A validated specification becomes the plain `Hardware` of the core."""

from __future__ import annotations

from energysim.hardware.build_hierarchy import HierarchyBuilder
from energysim.hardware.builder import Builder, Given
from energysim.hardware.core import Array, Hardware, RegisterAccesses

__all__ = ["build"]

_LANES = ("pixels", "filters", "products")


def build(spec: Given) -> Hardware:
    """Return the hardware of a specification that has been validated."""
    builder = HierarchyBuilder if isinstance(spec["levels"], list) else _TwoLevelBuilder
    made = builder(spec["sources"]).hardware(spec)
    scaling = spec["node_scaling"]
    if scaling is None:
        return made
    from energysim.hardware.node_scaling import scaled

    return scaled(made, scaling["to_nm"], scaling["from_voltage"].value, scaling["to_voltage"].value)


class _TwoLevelBuilder(Builder):
    """Collects the constants in the order of DRAM, buffer, array."""

    def hardware(self, spec: Given) -> Hardware:
        """Return the hardware of a specification."""
        clock = self.constant(spec["clock"], "clock").value
        dram = self.dram(spec["levels"]["dram"], clock)
        buffer = self.level(spec["levels"]["buffer"], "buffer", clock)
        mac = tuple((w, self.constant(given, f"mac.{w}")) for w, given in sorted(spec["mac"].items()))
        register = tuple(
            (w, *self.pair(row, f"registers.{w}")) for w, row in sorted(spec["registers"].items())
        )
        vector_op = self.constant(spec["vector_op"], "vector_op")
        lanes = {name: self.constant(spec["array"][name], f"array.{name}") for name in _LANES}
        zeros = self.zeros(spec["zeros"], buffer.name)
        return Hardware(
            name=spec["name"],
            description=spec["description"],
            cost_model=spec["cost_model"],
            node_nm=spec["node_nm"],
            clock_hz=clock,
            weight_bits=spec["bits"]["weights"],
            activation_bits=spec["bits"]["activations"],
            accumulator_bits=spec["bits"]["accumulators"],
            dram=dram,
            buffer=buffer,
            mac=mac,
            register=register,
            register_accesses=RegisterAccesses(**spec["register_accesses"]),
            vector_op=vector_op,
            array=Array(
                **{name: int(lane.value) for name, lane in lanes.items()}, constants=tuple(lanes.values())
            ),
            rules=tuple(sorted(spec["rules"].items())),
            constants=tuple(self.constants),
            **zeros,
        )
