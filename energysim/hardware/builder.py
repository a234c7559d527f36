"""What the builders of all cost models have in common: constants with their sources, memory levels."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from energysim.hardware.core import Constant, MemoryLevel, Partitions, Reserve, ZeroHandling
from energysim.hardware.quantities import Quantity
from energysim.hardware.tables import capacity_text, chosen_row

__all__ = ["Builder", "Given", "citation"]

Given = dict[str, Any]  # what the schema let through

#: Tiles of which one may overflow, if a specification does not say.
_ONE_IN = {
    "value": Quantity(Fraction(1000), ""),
    "source": None,
    "kind": "assumed",
    "node_nm": None,
    "note": "tiles of activations that are compressed on chip",
}


def citation(source: Given) -> str:
    """Return a source in one line."""
    link = f"doi:{source['doi']}" if source["doi"] else source["url"]
    authors = f"{source['authors']} ({source['year']})" if source["year"] else source["authors"]
    parts = (authors, source["title"], source["where"], link)
    return ", ".join(part for part in parts if part)


class Builder:
    """Collects the constants in the order in which they are made, which is fixed."""

    def __init__(self, sources: Given) -> None:
        self.sources = sources
        self.constants: list[Constant] = []

    def constant(self, given: Given, path: str, **changes: Any) -> Constant:
        source = self.sources[given["source"]] if given["source"] is not None else None
        content = {
            "value": given["value"].value,
            "unit": given["value"].unit,
            "source": citation(source) if source else "",
            "kind": given["kind"],
            "node_nm": given["node_nm"] or (source["node_nm"] if source else None),
            "note": given["note"],
        }
        made = Constant(**(content | changes), path=path)
        self.constants.append(made)
        return made

    def zeros(self, given: Given, first: str) -> Given:
        """Return what `Hardware` takes of zeros; ``first`` is the first level inside DRAM."""
        weights, activations = (
            ZeroHandling(
                **(given[operand] | {"formats": tuple(sorted(given[operand]["formats"].items()))})
                | {"spared": tuple(given[operand]["spared"])}
            )
            for operand in ("weights", "activations")
        )
        reserve = None
        if activations.decompressed_at not in (None, first):
            stated = given["reserve"] or {"one_in": None, "overflow": "refetched"}
            one_in = self.constant(stated["one_in"] or _ONE_IN, "zeros.reserve.one_in")
            reserve = Reserve(one_in, stated["overflow"])
        return {"weights": weights, "activations": activations, "reserve": reserve}

    def dram(self, given: Given, clock_hz: Fraction) -> MemoryLevel:
        """Return the DRAM: with energies per word, or of devices."""
        if given["device"] is None:
            return self.level(given, "dram", clock_hz)
        from energysim.hardware.build_dram import device_dram

        limit = self.bandwidth(given["bandwidth"], "levels.dram.bandwidth", clock_hz)
        dram = device_dram(given["device"]["system"], clock_hz, limit, double=given["double_buffered"])
        own = (dram.activate, dram.read, dram.write, dram.refresh, dram.standby)
        self.constants += [*own, *(() if limit or dram.bandwidth is None else (dram.bandwidth,))]
        return dram

    def level(self, given: Given, name: str, clock_hz: Fraction) -> MemoryLevel:
        path = f"levels.{name}"
        capacity = None
        if given["capacity"] is not None:
            capacity = int(self.constant(given["capacity"], f"{path}.capacity").value)
        read, write = self.energies(given, path, capacity)
        parts = given["partitions"]
        return MemoryLevel(
            name=name,
            capacity_bits=capacity,
            word_bits=given["word_bits"],
            read=read,
            write=write,
            bandwidth=self.bandwidth(given["bandwidth"], f"{path}.bandwidth", clock_hz),
            partitions=Partitions(**{key: int(size.value) for key, size in parts.items()}) if parts else None,
            double_buffered=given["double_buffered"],
        )

    def energies(self, given: Given, path: str, capacity: int | None) -> tuple[Constant, Constant]:
        """Return read and write energy: as given, else from the table row that holds the capacity."""
        if given["read"] is not None:
            return self.pair(given, path)
        if capacity is None:
            raise AssertionError("the schema lets no such level through")
        sizes = [int(row["capacity"].value) for row in given["energy_table"]]
        index = chosen_row(capacity, sizes)
        row, size = given["energy_table"][index], sizes[index]
        if size != capacity:
            bound = f"the row of {capacity_text(size)}, the next larger one: an upper bound"
            row = {action: _bounded(row[action], bound) for action in ("read", "write")}
        return self.pair(row, path)

    def pair(self, given: Given, path: str) -> tuple[Constant, Constant]:
        """Return read and write energy."""
        return self.constant(given["read"], f"{path}.read"), self.constant(given["write"], f"{path}.write")

    def bandwidth(self, given: Given | None, path: str, clock_hz: Fraction) -> Constant | None:
        """Return a bandwidth per cycle; one given per second is divided by the clock."""
        if given is None:
            return None
        value, unit = given["value"]
        per_cycle = value / clock_hz if unit == "bit/s" else value
        return self.constant(given, path, value=per_cycle, unit="bit/cycle")


def _bounded(given: Given, bound: str) -> Given:
    """Return an energy of a larger memory as what it is here: derived, or still assumed."""
    kind = "assumed" if given["kind"] == "assumed" else "derived"
    return given | {"kind": kind, "note": f"{bound}; {given['note']}" if given["note"] else bound}
