"""What every record and key of a hardware file means: for the JSON schema and the reference page.

The schema says what is accepted, this table says what it stands for. A test holds the two
together: a key without a line here, or a line without a key, fails.
"""

from __future__ import annotations

from collections.abc import Mapping

__all__ = ["KEYS", "RECORDS", "key_help"]

#: Record -> what it is.
RECORDS: Mapping[str, str] = {
    "Accesses": "Register accesses of one executed multiply-add.",
    "Array": "The multipliers of the cost model two-level: pixels x filters of them.",
    "Axis": "Copies of everything inside a level, side by side.",
    "Bandwidth": "Bits or bytes per cycle or second, with its source; or the number alone.",
    "Bits": "Native widths [bit]: what tensors have unless the model or --bits says otherwise.",
    "Buffer": "The on-chip memory of the cost model two-level.",
    "Capacity": "A size of memory, with its source; or the number alone, then assumed.",
    "Count": "A whole number, with its source; or the number alone, then assumed.",
    "Dram": "The memory outside the chip; energies per word, or a device.",
    "DramDevices": "DRAM made of devices, instead of energies per word; or the name of a device alone.",
    "Energy": "An energy with its source: never a bare number.",
    "EnergyRow": "Energies of a memory of one capacity; several rows make a table, never interpolated.",
    "Frequency": "A clock, with its source; or the number alone, then assumed.",
    "HierarchySpec": "A whole file for the cost model hierarchy: any number of memories and spatial axes.",
    "Level": "A memory of a hierarchy.",
    "Levels": "The memories of the cost model two-level.",
    "NodeScaling": "Energies on chip at another technology node: those of DRAM and leakage stay.",
    "Partitions": "Parts of a memory, each for one tensor; together at most its capacity.",
    "RampUp": "Operands that arrive before work goes on, and how fast they do.",
    "Register": "Energies of a register.",
    "Reserve": "Room for tiles of activations that lie compressed on chip.",
    "Source": "A publication that constants refer to by its key in sources.",
    "Spec": "A whole file for the cost model two-level: DRAM, one buffer, an array of multipliers.",
    "ZeroHandling": "What zeros save: of weights, and of activations.",
    "Zeros": "What the zeros of one operand save.",
}

_LEVEL = {
    "bandwidth": "Bits that pass per cycle or second, reads and writes together; not given: never limits.",
    "capacity": "Size of the memory; picks the row of an energy_table. Tiles must fit.",
    "double_buffered": "If true, tiles may fill half of it only, the other half is being loaded.",
    "energy_table": "Energies by capacity, instead of read and write. A capacity without a row is refused.",
    "partitions": "Fixed parts for weights, inputs and outputs, instead of one memory that they share.",
    "read": "Energy of a word read.",
    "word_bits": "Bits of one access [bit]; narrower data is charged the fraction of a word that it takes.",
    "write": "Energy of a word written.",
}

_CONSTANT = {
    "kind": "How the value is known; what is assumed is listed in every report.",
    "node_nm": "Technology node of the value [nm], if not that of its source.",
    "note": "How it was found; an assumed value needs a note or a source.",
    "source": "Key of sources; needed unless the value is assumed.",
    "value": "The number with its unit.",
}

_FILE = {
    "bits": "Native widths of operands and accumulators.",
    "clock": "Clock of the array; turns cycles into seconds.",
    "cost_model": "The cost model the file is written for, used unless --cost-model names another.",
    "description": "One line, printed with every report.",
    "mac": "Width of a multiplier [bit] -> energy of a multiply-add; the narrowest that fits is used.",
    "name": "Name that reports print.",
    "node_nm": "Technology node [nm].",
    "node_scaling": "Scales energies on chip from node_nm to another node; not given: nothing is scaled.",
    "rules": "Counting rules that differ from the default: rule -> value (energysim list rules).",
    "schema": "Version of this form.",
    "sources": "Key -> publication, for the constants of this file.",
    "vector_op": "Energy of an operation that is no multiply-add: additions, activations, pooling.",
    "zeros": "What zeros of weights and activations save on this hardware.",
}

#: Record -> key -> meaning.
KEYS: Mapping[str, Mapping[str, str]] = {
    "Accesses": {
        "input_reads": "Reads of an input register.",
        "psum_reads": "Reads of an accumulator register.",
        "psum_writes": "Writes of an accumulator register.",
        "weight_reads": "Reads of a weight register.",
    },
    "Array": {
        "filters": "Filters that share one input read from the buffer.",
        "pixels": "Output pixels that share one weight read from the buffer.",
        "products": "Products summed in registers or an adder tree per accumulator access of the buffer.",
    },
    "Axis": {
        "below": "Name of the level it lies below: it copies everything inside that level.",
        "diagonal": "If true, inputs in the windows of several copies are fetched once.",
        "loops": "Dimensions that may be spread over it; not given: the dataflow's, else all.",
        "name": "Name that mappings and reports use.",
        "network": "Energy of a word (of word_bits) at the inner side.",
        "shared": "Tensors whose words copies share: weights and inputs are multicast, outputs added up.",
        "size": "Number of copies.",
        "word_bits": "Bits of a word of the network [bit]; needed with an energy.",
    },
    "Bandwidth": _CONSTANT,
    "Bits": {
        "accumulators": "Width of a sum [bit].",
        "activations": "Width of an activation [bit].",
        "weights": "Width of a weight [bit].",
    },
    "Buffer": _LEVEL,
    "Capacity": _CONSTANT,
    "Count": _CONSTANT,
    "Dram": {**_LEVEL, "device": "Devices it is made of, instead of read, write, energy_table and capacity."},
    "DramDevices": {
        "channels": "Channels, each with a bus of its own.",
        "devices_per_rank": "Devices that share a bus; not given: word_bits over the data lines of a device.",
        "mapping": "Order of the parts of an address, the highest first.",
        "name": "A shipped device (energysim list dram), or a YAML file beside this one.",
        "ranks": "Ranks of a channel.",
        "row_policy": "A row stays open until its bank needs another.",
    },
    "Energy": _CONSTANT,
    "EnergyRow": {
        "capacity": "Size of the memory that the energies belong to.",
        "read": "Energy of a word read.",
        "write": "Energy of a word written.",
    },
    "Frequency": _CONSTANT,
    "HierarchySpec": {
        **_FILE,
        "axes": "Spatial axes, outermost first.",
        "cost_model": "hierarchy (or a plug-in that takes this form).",
        "dataflow": "Constraints of a known dataflow; what the file states itself stands.",
        "leakage": "Energy of one multiplier per cycle, used or not.",
        "levels": "Memories, outermost first; the first is named dram.",
    },
    "Level": {
        **_LEVEL,
        "bypass": "Tensors never held here.",
        "device": "Devices that dram is made of, instead of read, write, energy_table and capacity.",
        "fill": "Energy of a word written that comes from outside; not given: write.",
        "keep": "Tensors always held here; of those in neither list the mapping decides.",
        "leakage": "Energy per cycle, used or not.",
        "loops": "Dimensions that may have a loop here; not given: the dataflow's, else all.",
        "name": "Name that mappings and reports use.",
        "ramp_up": "Reads that multipliers wait for; not given: all reads go on beside the work.",
        "read_bandwidth": "As bandwidth, of reads alone.",
        "update": "Energy of a word written that comes from inside, a sum; not given: write.",
        "write_bandwidth": "As bandwidth, of writes alone.",
    },
    "Levels": {"buffer": "The on-chip buffer.", "dram": "The memory outside the chip."},
    "NodeScaling": {
        "from_voltage": "Supply voltage that the energies are for.",
        "to_nm": "The other node [nm].",
        "to_voltage": "Supply voltage there.",
    },
    "Partitions": {
        "inputs": "Size of the part for inputs.",
        "outputs": "Size of the part for outputs and partial sums.",
        "weights": "Size of the part for weights and their tables.",
    },
    "RampUp": {
        "inputs": "Bits per cycle at which inputs read here arrive before work goes on.",
        "weights": "Bits per cycle at which weights read here arrive before work goes on.",
    },
    "Register": {"read": "Energy of a read.", "write": "Energy of a write."},
    "Reserve": {
        "one_in": "At most one tile in so many has more nonzeros than it has room for; 1000 if not given.",
        "overflow": "What becomes of such a tile: fetched again, nothing counted, or there is room for all.",
    },
    "Source": {
        "authors": "Who wrote it.",
        "doi": "Its DOI.",
        "node_nm": "Technology node of its figures [nm].",
        "title": "Title and publication.",
        "url": "Where it is, if it has no DOI.",
        "where": "Table, figure or version the values were taken from.",
        "year": "Year of publication.",
    },
    "Spec": {
        **_FILE,
        "array": "The multipliers, and what they share.",
        "levels": "The memories: dram and buffer.",
        "register_accesses": "Register accesses of a multiply-add.",
        "registers": "Width of a register [bit] -> its energies; none: registers cost nothing.",
    },
    "ZeroHandling": {
        "activations": "Zeros of activations.",
        "reserve": "Room for tiles of activations that lie compressed on chip.",
        "weights": "Zeros of weights.",
    },
    "Zeros": {
        "compute": "What a multiply-add with a zero saves: nothing, its energy (gate), its cycle too (skip).",
        "decompressed_at": (
            "The level that is filled with plain values, or mac: compressed up to the multipliers. Not "
            "given: mac for weights, the first level inside DRAM for activations."
        ),
        "format": "Storage format of compressed data (energysim list formats); not given: the kernel's own.",
        "formats": "Level -> storage format there, if it differs from that of the level outside.",
        "lanes": (
            "Who waits where cycles are skipped. packed: lanes are filled anew all the time; waiting: each "
            "skips its own zeros and waits for the slowest. Not given: packed, but waiting for weights in "
            "hierarchies."
        ),
        "spared": "Levels that multipliers neither read nor update for a product with such a zero.",
        "stored_compressed": "Whether zeros are left out in DRAM.",
    },
}


def key_help(record: str, key: str) -> str:
    """Return the meaning of a key of a record; ``extends`` is a key of partial files only."""
    if key == "extends":
        return "Name or relative file of the specification that this one changes."
    return KEYS[record][key]
