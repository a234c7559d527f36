"""The part of a specification that says what zeros save, and what makes no sense in it."""

from __future__ import annotations

from pydantic_core import core_schema as s

from energysim.errors import EnergysimError, near_miss
from energysim.hardware.quantities import COUNT, show
from energysim.hardware.spec_blocks import Given, Schema, checked, constant, problem, record, text
from energysim.hardware.spec_conditions import format_stored, formats_known
from energysim.hardware.zeros import MULTIPLIERS

__all__ = ["zeros_make_sense", "zeros_schema"]

_FORMAT = r"^[A-Za-z0-9_.:=,-]{1,60}$"
_OPERANDS = ("weights", "activations")
#: Operand -> the name of its tensor in levels.
_TENSORS = {"weights": "weights", "activations": "inputs"}


def zeros_schema(name: str) -> Schema:
    """Return the schema of the key ``zeros``; ``name`` is the pattern of names of levels."""
    stored = s.no_info_after_validator_function(_known_format, text(_FORMAT))
    operand = record(
        "Zeros",
        {
            "stored_compressed": s.bool_schema(strict=True),
            "compute": s.literal_schema(["none", "gate", "skip"]),
        },
        {
            "format": (stored, None),
            "formats": (s.dict_schema(text(name), stored, strict=True), {}),
            "decompressed_at": (text(name), None),
            "lanes": (s.literal_schema(["packed", "waiting"]), None),
            "spared": (s.list_schema(text(name), strict=True), []),
        },
    )
    operand = checked(operand, format_stored, _inside_stored, _saved_by_compute)
    reserve = record(
        "Reserve",
        {},
        {
            "one_in": (constant("Count", COUNT), None),
            "overflow": (s.literal_schema(["refetched", "ignored", "never"]), "refetched"),
        },
    )
    both = record("ZeroHandling", dict.fromkeys(_OPERANDS, operand), {"reserve": (reserve, None)})
    return checked(both, formats_known)


def _known_format(given: str) -> str:
    from energysim.formats import get_format

    try:
        get_format(given)
    except EnergysimError as error:
        raise ValueError(str(error)) from None
    return given


def _inside_stored(zeros: Given) -> None:
    """What is not compressed needs no decompression."""
    if zeros["stored_compressed"]:
        return
    for key in ("decompressed_at", "formats"):
        if zeros[key]:
            raise problem(key, f"{key!r} is given but 'stored_compressed' is false")


def _saved_by_compute(zeros: Given) -> None:
    """Lanes have to wait, and levels are spared, only where the multipliers heed zeros."""
    if zeros["lanes"] and zeros["compute"] != "skip":
        what = f"'lanes' says who waits when cycles are skipped; 'compute' is {show(zeros['compute'])}"
        raise problem("lanes", what)
    if zeros["spared"] and zeros["compute"] == "none":
        raise problem("spared", "accesses are spared where 'compute' is 'gate' or 'skip', not 'none'")


def zeros_make_sense(spec: Given) -> None:
    """Levels that `zeros` names exist, hold the tensor, and can do what is said of them."""
    levels = spec["levels"]
    hierarchical = isinstance(levels, list)
    inner = [level["name"] for level in levels[1:]] if hierarchical else ["buffer"]
    for operand in _OPERANDS:
        zeros = spec["zeros"][operand]
        at, tensor = f"zeros.{operand}", _TENSORS[operand]
        placed = zeros["decompressed_at"]
        if placed is not None and placed not in (*inner, MULTIPLIERS):
            raise problem(f"{at}.decompressed_at", _nowhere(placed, [*inner, MULTIPLIERS]))
        if zeros["compute"] == "skip" and placed not in (None, MULTIPLIERS):
            what = (
                f"level {show(placed)} holds plain values, which do not say where the next nonzero is; "
                f"'compute: skip' needs {MULTIPLIERS!r} here (or 'compute: gate')"
            )
            raise problem(f"{at}.decompressed_at", what)
        default = MULTIPLIERS if operand == "weights" else inner[0]
        plain = placed or default
        compressed = inner if plain == MULTIPLIERS else inner[: inner.index(plain)]
        for name in zeros["formats"]:
            if name not in inner:
                raise problem(f"{at}.formats", _nowhere(name, inner))
            if name not in compressed:
                what = f"{operand} are plain in level {show(name)}: they are decompressed at {show(plain)}"
                raise problem(f"{at}.formats", f"{what}; move 'decompressed_at' further in")
            if hierarchical and tensor in _level(spec, name)["bypass"]:
                raise problem(f"{at}.formats", f"level {show(name)} never holds {tensor}: they bypass it")
        if operand == "weights" and hierarchical and zeros["lanes"] == "packed":
            what = "in the cost model 'hierarchy' lanes always wait for the slowest; leave 'lanes' out"
            raise problem(f"{at}.lanes", what)
        _spared(spec, operand, hierarchical)
    _reserved(spec, inner)


def _spared(spec: Given, operand: str, hierarchical: bool) -> None:
    zeros, at = spec["zeros"][operand], f"zeros.{operand}.spared"
    if not zeros["spared"]:
        return
    if not hierarchical:
        what = "the cost model two-level spares its registers by itself; 'spared' is for hierarchies"
        raise problem(at, what)
    if operand == "weights" and zeros["compute"] == "skip":
        raise problem(at, "weights that are skipped spare all accesses by themselves; leave 'spared' out")
    names = [level["name"] for level in spec["levels"]]
    for number, name in enumerate(zeros["spared"]):
        if name not in names:
            raise problem(at, _nowhere(name, names))
        if name == names[0]:
            raise problem(at, f"level {show(name)} is no level on the chip: what is fetched is not spared")
        if name in zeros["spared"][:number]:
            raise problem(at, f"level {show(name)} is named twice")
        inside = names[names.index(name) :]
        for axis in spec["axes"]:
            if axis["below"] in inside:
                what = (
                    f"level {show(name)} cannot spare accesses: axis {show(axis['name'])} lies inside it, so "
                    "a word of it is for several multipliers"
                )
                raise problem(at, what)
        others = {"weights", "inputs", "outputs"} - {_TENSORS[operand]}
        if others <= set(_level(spec, name)["bypass"]):
            what = f"level {show(name)} holds nothing that a zero of {operand} could spare"
            raise problem(at, what)


def _reserved(spec: Given, inner: list[str]) -> None:
    inside = _kept_compressed(spec["zeros"]["activations"], inner)
    levels = spec["levels"]
    outermost = levels[0] if isinstance(levels, list) else levels["dram"]
    overflow = (spec["zeros"]["reserve"] or {"overflow": "refetched"})["overflow"]
    if inside and outermost.get("device") and overflow == "refetched":
        what = (
            "tiles that overflow and are fetched again are in no stream of addresses: with a DRAM 'device' "
            "give a 'reserve' with 'overflow: never' or 'ignored'"
        )
        raise problem("zeros.reserve" if spec["zeros"]["reserve"] else "zeros.activations", what)
    if spec["zeros"]["reserve"] and not inside:
        what = (
            "a 'reserve' is for activations that lie compressed on chip; none do: 'decompressed_at' of "
            "activations says how far in"
        )
        raise problem("zeros.reserve", what)


def _kept_compressed(zeros: Given, inner: list[str]) -> bool:
    return zeros["decompressed_at"] not in (None, inner[0])


def _level(spec: Given, name: str) -> Given:
    found: Given = next(level for level in spec["levels"] if level["name"] == name)
    return found


def _nowhere(name: str, known: list[str]) -> str:
    return f"no level has the name {show(name)}{near_miss(name, known) or f'; expected {_listed(known)}'}"


def _listed(names: list[str]) -> str:
    shown = [repr(name) for name in names]
    return shown[0] if len(shown) == 1 else f"{', '.join(shown[:-1])} or {shown[-1]}"
