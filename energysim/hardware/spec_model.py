"""What a hardware file may hold: the pydantic models, used at the boundary only.

Imported on the first load, never with the package. Unknown keys are refused, types are
strict, and every constant says what it is: value with unit, source, kind. The models are
built together on first use (``defer_build``), which is several times faster than one by one.
"""

import re
from typing import Annotated, Any, ClassVar, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    PlainValidator,
    ValidationInfo,
    WithJsonSchema,
    field_validator,
    model_validator,
)
from pydantic_core import PydanticCustomError

from energysim.errors import near_miss
from energysim.hardware.quantities import (
    BANDWIDTH,
    CAPACITY,
    COUNT,
    ENERGY,
    FREQUENCY,
    Dimension,
    Quantity,
    parse_quantity,
    show,
)
from energysim.hardware.tables import refusal

__all__ = ["SCHEMA", "Spec", "SpecPart"]

SCHEMA = "energysim-hardware/1"
WIDEST = 64  # bits of an operand, an accumulator or a register
KIND = Literal["measured", "published", "derived", "assumed"]


def _quantity(dimension: Dimension) -> Any:
    """Return the annotation of a field that holds one dimension."""
    if dimension is COUNT:
        schema: dict[str, Any] = {"type": "integer", "minimum": 1, "maximum": int(dimension.largest)}
    else:
        schema = {"type": "string", "pattern": dimension.pattern, "examples": [dimension.example]}
    return Annotated[
        Quantity, PlainValidator(lambda value: parse_quantity(value, dimension)), WithJsonSchema(schema)
    ]


def problem(at: str, what: str) -> PydanticCustomError:
    """Return an error that belongs to the key `at` below the place where it is raised."""
    return PydanticCustomError("spec", "{what}", {"at": at, "what": what})


class SpecPart(BaseModel):
    """Base of all parts: unknown keys refused, no conversion of types."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, defer_build=True)


class Source(SpecPart):
    """Where a constant was read."""

    authors: str = Field(min_length=1)
    year: int = Field(ge=1900, le=2100)
    title: str = Field(min_length=1)
    where: str = Field("", description="table, figure, version: where exactly")
    doi: str | None = None
    url: str | None = None
    node_nm: int | None = Field(None, ge=1, le=10_000, description="technology node of its figures [nm]")

    @property
    def citation(self) -> str:
        """The source in one line."""
        link = f"doi:{self.doi}" if self.doi else self.url
        parts = (f"{self.authors} ({self.year})", self.title, self.where, link)
        return ", ".join(part for part in parts if part)


class ConstantPart(SpecPart):
    """A number with its unit, source and kind."""

    short: ClassVar[Dimension | None] = None  # dimension that may be written without the braces
    value: Any
    source: str | None = Field(
        None, description="a key of 'sources'; an assumed value may have a note instead"
    )
    kind: KIND
    node_nm: int | None = Field(None, ge=1, le=10_000, description="overrides the node of the source [nm]")
    note: str = ""

    @model_validator(mode="before")
    @classmethod
    def _short_form(cls, data: Any) -> Any:
        """Accept a design choice as plain ``capacity: 64 KiB``; energies always need their source."""
        if isinstance(data, dict) or cls.short is None:
            return data
        try:
            parse_quantity(data, cls.short)
        except ValueError as error:
            raise problem("", str(error)) from None
        return {"value": data, "kind": "assumed", "note": "stated by the specification"}

    @field_validator("source")
    @classmethod
    def _known_source(cls, source: str | None, info: ValidationInfo) -> str | None:
        known = (info.context or {}).get("sources", ())
        if source is not None and source not in known:
            listed = ", ".join(sorted(known)) or "none"
            raise ValueError(
                f"unknown source {show(source)}; expected a key of 'sources' ({listed}){near_miss(source, known)}"
            )
        return source

    @model_validator(mode="after")
    def _accounted(self) -> "ConstantPart":
        if self.source is None and not (self.kind == "assumed" and self.note):
            raise problem(
                "", "needs a source (a key of 'sources'); only an assumed value may give a note instead"
            )
        return self


class Energy(ConstantPart):
    """An energy per action; never without a source or a reason."""

    value: _quantity(ENERGY)


class Capacity(ConstantPart):
    """A capacity; ``capacity: 64 KiB`` is short for an assumed one."""

    short = CAPACITY
    value: _quantity(CAPACITY)


class Bandwidth(ConstantPart):
    """Data per second or per cycle."""

    short = BANDWIDTH
    value: _quantity(BANDWIDTH)


class Frequency(ConstantPart):
    """A clock."""

    short = FREQUENCY
    value: _quantity(FREQUENCY)


class Count(ConstantPart):
    """A number of lanes."""

    short = COUNT
    value: _quantity(COUNT)


class EnergyRow(SpecPart):
    """Energy per word of a memory of one capacity."""

    capacity: _quantity(CAPACITY)
    read: Energy
    write: Energy


class Partitions(SpecPart):
    """Fixed parts of a split buffer."""

    weights: _quantity(CAPACITY)
    inputs: _quantity(CAPACITY)
    outputs: _quantity(CAPACITY)


class Level(SpecPart):
    """A memory: energy per word, given directly or by a table over capacities."""

    capacity: Capacity | None = None
    word_bits: int = Field(ge=1, le=65536, description="bits of one access")
    read: Energy | None = Field(None, description="energy per word; beats the table")
    write: Energy | None = Field(None, description="energy per word; beats the table")
    energy_table: list[EnergyRow] | None = Field(None, min_length=1)
    bandwidth: Bandwidth | None = Field(None, description="absent: never limits")
    partitions: Partitions | None = Field(None, description="absent: one shared memory")
    double_buffered: bool = Field(False, description="true: a tile may fill half of it")

    @model_validator(mode="after")
    def _energies(self) -> "Level":
        for given, other in (("read", "write"), ("write", "read")):
            if getattr(self, given) and not getattr(self, other):
                raise problem(given, f"{given!r} is given without {other!r}; give both, or an 'energy_table'")
        if self.read is not None:
            return self
        if self.energy_table is None:
            raise problem("", "no energy: give 'read' and 'write', or an 'energy_table'")
        if self.capacity is None:
            raise problem("energy_table", "an 'energy_table' needs the 'capacity' to look up")
        rows = [int(row.capacity.value) for row in self.energy_table]
        if len(set(rows)) < len(rows):
            raise problem("energy_table", "two rows have the same capacity")
        refused = refusal(int(self.capacity.value.value), rows)
        if refused:
            raise problem("capacity", refused)
        return self

    @model_validator(mode="after")
    def _sizes(self) -> "Level":
        if self.capacity is None:
            if self.partitions is not None:
                raise problem("partitions", "'partitions' need the 'capacity' they divide")
            return self
        bits = int(self.capacity.value.value)
        if bits < self.word_bits:
            raise problem("capacity", f"{bits} bit hold not even one word of {self.word_bits} bit")
        if self.partitions is not None:
            parts = self.partitions
            total = int(parts.weights.value + parts.inputs.value + parts.outputs.value)
            if total > bits:
                raise problem(
                    "partitions", f"the parts add up to {total} bit, more than the capacity of {bits} bit"
                )
        return self


class Buffer(Level):
    """The on-chip memory: its capacity must be known."""

    capacity: Capacity


class Levels(SpecPart):
    """The two memories of the two-level model."""

    dram: Level
    buffer: Buffer


class Bits(SpecPart):
    """Native widths."""

    weights: int = Field(ge=1, le=WIDEST)
    activations: int = Field(ge=1, le=WIDEST)
    accumulators: int = Field(ge=1, le=WIDEST)


class RegisterRow(SpecPart):
    """Energies of a register of one width."""

    read: Energy
    write: Energy


class Accesses(SpecPart):
    """Register accesses of one MAC."""

    weight_reads: int = Field(1, ge=0, le=1000)
    input_reads: int = Field(1, ge=0, le=1000)
    psum_reads: int = Field(1, ge=0, le=1000)
    psum_writes: int = Field(1, ge=0, le=1000)


class Lanes(SpecPart):
    """The array: how many neighbours share one access of the buffer."""

    pixels: Count = Field(description="output pixels that share one weight read")
    filters: Count = Field(description="filters that share one input read")
    products: Count = Field(description="products summed per accumulator access")


class Zeros(SpecPart):
    """What the hardware makes of zeros in one kind of tensor."""

    stored_compressed: bool
    compute: Literal["none", "gate", "skip"]
    format: str | None = Field(
        None, pattern=r"^[A-Za-z0-9_.:=,-]{1,60}$", description="storage format in DRAM"
    )

    @model_validator(mode="after")
    def _consistent(self) -> "Zeros":
        if self.format is not None and not self.stored_compressed:
            raise problem("format", "a 'format' is given but 'stored_compressed' is false")
        return self


class ZeroHandlingPart(SpecPart):
    """Zeros of weights and of activations."""

    weights: Zeros
    activations: Zeros

    @model_validator(mode="after")
    def _stored(self) -> "ZeroHandlingPart":
        if self.activations.stored_compressed and self.activations.format is None:
            raise problem("activations", "compressed activations need a 'format', such as 'rlc'")
        return self


def _width(key: str) -> int:
    if re.fullmatch(r"[1-9][0-9]?", key) and int(key) <= WIDEST:
        return int(key)
    raise ValueError(f"{show(key)} is no width; expected bits from 1 to {WIDEST}")


Width = Annotated[int, PlainValidator(_width), WithJsonSchema({"type": "string", "pattern": "^[1-9][0-9]?$"})]


class Spec(SpecPart):
    """A hardware specification for the two-level cost model."""

    schema_: Literal["energysim-hardware/1"] = Field(alias="schema")
    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$")
    description: str = ""
    cost_model: str = Field("two-level", pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$")
    node_nm: int | None = Field(None, ge=1, le=10_000, description="technology node [nm]")
    clock: Frequency
    bits: Bits
    levels: Levels
    mac: dict[Width, Energy] = Field(min_length=1, description="energy of one MAC by operand width")
    registers: dict[Width, RegisterRow] = Field(
        {}, description="energy by register width; empty: no registers"
    )
    register_accesses: Accesses = Accesses.model_construct(
        weight_reads=1, input_reads=1, psum_reads=1, psum_writes=1
    )
    vector_op: Energy = Field(description="energy of one elementary operation that is no MAC")
    array: Lanes
    zeros: ZeroHandlingPart
    rules: dict[str, bool | int | str] = Field({}, description="counting rules that differ from the defaults")
    sources: dict[str, Source] = {}

    @model_validator(mode="after")
    def _wide_enough(self) -> "Spec":
        operands = max(self.bits.weights, self.bits.activations)
        if max(self.mac) < operands:
            raise problem(
                "mac", f"the widest MAC has {max(self.mac)} bit, the native operands have {operands}"
            )
        widest = max(operands, self.bits.accumulators)
        if self.registers and max(self.registers) < widest:
            raise problem(
                "registers", f"the widest register has {max(self.registers)} bit; {widest} are needed"
            )
        return self
