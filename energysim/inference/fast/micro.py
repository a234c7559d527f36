"""The innermost product of the compiled paths, written as LLVM code for numba (extra ``[fast]``).

A block of ``rows x vectors`` accumulators stays in registers over the whole sum::

    acc[r][v] += broadcast(row operand r at step k) * (vector v at step k)

One vector load serves all rows and one broadcast all vectors, so the arithmetic units, not memory,
set the pace. Two uses: for large maps the rows are filters and the vectors runs of pixels, read
where the table of addresses says (no im2col, no product routine); for tiny maps the rows are pixels
and the vectors filters.

Nothing here is imported unless numba is there; addresses are plain integers in bytes, tables hold
offsets in floats.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from importlib import import_module
from typing import Any

__all__ = ["Shape", "filter_product", "lanes", "pixel_product", "registers"]

# Imported by name: numba and llvmlite are optional, and need not be there where types are checked.
llvm: Any = import_module("llvmlite.binding")
ir: Any = import_module("llvmlite.ir")
cgutils: Any = import_module("numba.core.cgutils")
types: Any = import_module("numba.core.types")
intrinsic: Any = import_module("numba.extending").intrinsic

Shape = tuple[int, int]
_I32, _I64, _F32 = ir.IntType(32), ir.IntType(64), ir.FloatType()
_FUSE = ("contract",)


@cache
def lanes() -> int:
    """Floats of a vector register of this processor."""
    features = llvm.get_host_cpu_features()
    if features.get("avx512f"):
        return 16
    return 8 if features.get("avx2") or features.get("avx") else 4


@cache
def registers() -> int:
    """Accumulators that fit the registers, operands aside."""
    return 12 if lanes() == 8 else 24


class _Code:
    """Short names for the instructions used below."""

    def __init__(self, builder: Any) -> None:
        self.b = builder
        self.n = lanes()
        self.vector = ir.VectorType(_F32, self.n)

    def number(self, value: int) -> Any:
        return ir.Constant(_I64, value)

    def at(self, base: Any, offset: Any, shift: int) -> Any:
        """Address of element ``offset`` of size 2**shift."""
        return self.b.add(base, self.b.shl(offset, self.number(shift)))

    def read(self, address: Any, kind: Any) -> Any:
        value = self.b.load(self.b.inttoptr(address, kind.as_pointer()))
        if kind is self.vector:
            value.align = 4
        return value

    def splat(self, scalar: Any) -> Any:
        kind = ir.VectorType(scalar.type, self.n)
        one = self.b.insert_element(ir.Constant(kind, ir.Undefined), scalar, ir.Constant(_I32, 0))
        zeros = ir.Constant(ir.VectorType(_I32, self.n), [0] * self.n)
        return self.b.shuffle_vector(one, ir.Constant(kind, ir.Undefined), zeros)

    def store(self, value: Any, address: Any, mask: Any) -> None:
        kinds = [self.vector, self.vector.as_pointer(), _I32, mask.type]
        name = f"llvm.masked.store.v{self.n}f32.p0"
        call = cgutils.get_or_insert_function(self.b.module, ir.FunctionType(ir.VoidType(), kinds), name)
        where = self.b.inttoptr(address, self.vector.as_pointer())
        self.b.call(call, [value, where, ir.Constant(_I32, 4), mask])

    def below(self, limit: Any, first: int) -> Any:
        """Mask of the lanes whose number, counted from ``first``, is below ``limit``."""
        numbers = ir.Constant(ir.VectorType(_I64, self.n), list(range(first, first + self.n)))
        return self.b.icmp_signed("<", numbers, self.splat(limit))

    def sum(
        self, count: Any, start: list[list[Any]], step: Callable[[Any], tuple[list[Any], list[Any]]]
    ) -> list[list[Any]]:
        """Accumulate over k < count; ``step(k)`` gives broadcast rows and vectors."""
        b, before = self.b, self.b.basic_block
        loop, done = b.append_basic_block("sum"), b.append_basic_block("summed")
        b.cbranch(b.icmp_signed(">", count, self.number(0)), loop, done)
        b.position_at_end(loop)
        k = b.phi(_I64)
        k.add_incoming(self.number(0), before)
        held = []
        for row in start:
            held.append([b.phi(self.vector) for _ in row])
            for phi, value in zip(held[-1], row, strict=True):
                phi.add_incoming(value, before)
        rows, vectors = step(k)
        added = [
            [b.fadd(a, b.fmul(r, v, flags=_FUSE), flags=_FUSE) for a, v in zip(line, vectors, strict=True)]
            for line, r in zip(held, rows, strict=True)
        ]
        following = b.add(k, self.number(1))
        k.add_incoming(following, b.basic_block)
        for phis, values in zip(held, added, strict=True):
            for phi, value in zip(phis, values, strict=True):
                phi.add_incoming(value, b.basic_block)
        last = b.basic_block
        b.cbranch(b.icmp_signed("<", following, count), loop, done)
        b.position_at_end(done)
        result = []
        for line, values in zip(start, added, strict=True):
            result.append([b.phi(self.vector) for _ in line])
            for phi, initial, value in zip(result[-1], line, values, strict=True):
                phi.add_incoming(initial, before)
                phi.add_incoming(value, last)
        return result


@cache
def pixel_product(shape: Shape) -> Any:
    """Return the numba function for ``shape`` = (filters, vectors of pixels).

    It takes (x, table, w, count, y, rows, valid, bias, other, left, low, high): address of the
    operand at the first pixel; table of ``count`` offsets into it; weights (count, filters); address
    of the output at the first pixel; table of the filters' offsets into it; how many filters are
    real; their biases; address of the map to add at the first pixel, or 0; pixels left; clamp.
    """
    mr, nv = shape

    @intrinsic
    def product(ctx, x, table, w, count, y, rows, valid, bias, other, left, low, high):  # type: ignore[no-untyped-def]
        signature = types.void(x, table, w, count, y, rows, valid, bias, other, left, low, high)

        def generate(context: Any, b: Any, signature: Any, arguments: Any) -> Any:
            x, table, w, count, y, rows, valid, bias, other, left, low, high = arguments
            code = _Code(b)
            number, wide = code.number, 4 * code.n

            def step(k: Any) -> tuple[list[Any], list[Any]]:
                pixels = code.at(x, code.read(code.at(table, k, 3), _I64), 2)
                vectors = [code.read(b.add(pixels, number(wide * v)), code.vector) for v in range(nv)]
                own = b.add(w, b.mul(k, number(4 * mr)))
                return [code.splat(code.read(b.add(own, number(4 * r)), _F32)) for r in range(mr)], vectors

            start = [[code.splat(code.read(b.add(bias, number(4 * r)), _F32))] * nv for r in range(mr)]
            result = code.sum(count, start, step)
            masks = [code.below(left, v * code.n) for v in range(nv)]
            lowest, highest = code.splat(low), code.splat(high)
            places = [code.read(b.add(rows, number(8 * r)), _I64) for r in range(mr)]
            adds = b.icmp_signed("!=", other, number(0))
            for r in range(mr):
                with b.if_then(b.icmp_signed("<", number(r), valid)):
                    for v in range(nv):
                        value = result[r][v]
                        before = b.basic_block
                        with b.if_then(adds):
                            more = code.read(
                                b.add(code.at(other, places[r], 2), number(wide * v)), code.vector
                            )
                            summed = b.fadd(value, more)
                            inside = b.basic_block
                        merged = b.phi(code.vector)
                        merged.add_incoming(value, before)
                        merged.add_incoming(summed, inside)
                        value = b.select(b.fcmp_ordered("<", merged, lowest), lowest, merged)
                        value = b.select(b.fcmp_ordered(">", value, highest), highest, value)
                        code.store(value, b.add(code.at(y, places[r], 2), number(wide * v)), masks[v])
            return context.get_dummy_value()

        return signature, generate

    return product


@cache
def filter_product(shape: Shape) -> Any:
    """Return the numba function for ``shape`` = (pixels, vectors of filters).

    It takes (x, table, pixels, w, count, pitch, y): address of the operand; table of ``count``
    offsets into it; table of the pixels' offsets; weights (count, pitch) at the first filter; their
    pitch; address of the output (pixels, pitch).
    """
    mr, nv = shape

    @intrinsic
    def product(ctx, x, table, pixels, w, count, pitch, y):  # type: ignore[no-untyped-def]
        signature = types.void(x, table, pixels, w, count, pitch, y)

        def generate(context: Any, b: Any, signature: Any, arguments: Any) -> Any:
            x, table, pixels, w, count, pitch, y = arguments
            code = _Code(b)
            number, wide = code.number, 4 * code.n
            places = [code.at(x, code.read(b.add(pixels, number(8 * r)), _I64), 2) for r in range(mr)]

            def step(k: Any) -> tuple[list[Any], list[Any]]:
                own = code.at(w, b.mul(k, pitch), 2)
                vectors = [code.read(b.add(own, number(wide * v)), code.vector) for v in range(nv)]
                offset = code.read(code.at(table, k, 3), _I64)
                return [code.splat(code.read(code.at(p, offset, 2), _F32)) for p in places], vectors

            zero = ir.Constant(code.vector, [0.0] * code.n)
            result = code.sum(count, [[zero] * nv for _ in range(mr)], step)
            everywhere = code.below(number(code.n), 0)
            for r in range(mr):
                line = code.at(y, b.mul(pitch, number(r)), 2)
                for v in range(nv):
                    code.store(result[r][v], b.add(line, number(wide * v)), everywhere)
            return context.get_dummy_value()

        return signature, generate

    return product
