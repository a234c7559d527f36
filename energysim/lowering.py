"""The memory into which the input of a convolution is lowered, by five ways of storing it.

A map of one image and channel has H x W pixels, D of them nonzero; it is padded to H' rows; windows
are R x S, outputs P x Q, t the stride of columns. Counted are values, indices and pointers::

    im2col  P Q R S values                 every window copied
    mec     Q H' S values                  one strip of S columns and all rows per output column
    cscc    L values, L indices, Q + 1 pointers; L = sum over nonzeros of the windows on their column
    cpo     D values, D indices, p pointers; each nonzero once, grouped by how many windows share it
    cps     D values, I indices, p pointers; cells of a column in fours share their indices

    p = Q + 1 if n = 1, else min(Q + 1, 3) + (n - 1)(Q + 1), with n = ceil(S / t) patterns
    I = 0, 1, 2, 2, 2 for fours with 0, 1, 2, 3, 4 nonzeros; likewise the cells left over below

Sources: im2col and MEC: Cho and Brand, "MEC: Memory-efficient Convolution for Deep Neural Network",
ICML 2017. CPO, CPS and CSCC: arXiv 2104.08314 and the size log of its authors
(github.com/HossamAmer12/SPMv-trials, commits 6992d69 and a8620d2), whose 140 rows these formulas give.

Zeros are independent (expected counts, kept exact); pixels of the padding are stored by im2col and MEC
only. Assumed: strides above 1, padding, and a pointer array for each channel, empty or not; the log
has none of them. CPO and CPS are not defined for dilated windows.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from energysim.densities import ZerosSource, apply_zeros, read_zeros
from energysim.errors import DensityError, UsageError, near_miss
from energysim.graph import Conv2d, ConvTranspose2d, DeformConv2d, LayerGraph
from energysim.graph.shapes import text
from energysim.units import ceil_div, ceil_fraction, exact_fraction
from energysim.windows import Axis, window_pairs
from energysim.zoo import load_model

__all__ = [
    "STORAGES",
    "WIDTHS",
    "LayerFootprint",
    "LoweredMap",
    "Size",
    "footprint",
    "footprint_records",
    "read_footprint_widths",
]

#: Cells of a column that share their indices in CPS.
_GROUP = 4
#: Widths [bit] if none are given: 8-bit values, indices and pointers of whole bytes (assumed).
WIDTHS = {"value": 8, "index": 16, "pointer": 32}
_WIDEST = 64


@dataclass(frozen=True)
class LoweredMap:
    """What the input of a convolution and its windows are.

    Attributes
    ----------
    maps : int
        Images times channels.
    rows, cols : Axis
    padded_rows : int
    density : Fraction
        Share of nonzeros.
    """

    maps: int
    rows: Axis
    cols: Axis
    padded_rows: int
    density: Fraction

    @property
    def patterns(self) -> int:
        """Most windows that share a column."""
        return ceil_div(self.cols.window, self.cols.stride)

    @property
    def nonzeros(self) -> Fraction:
        """Expected nonzeros of one map."""
        return self.density * self.rows.inputs * self.cols.inputs


@dataclass(frozen=True)
class Size:
    """How much is stored, for the whole batch; expected counts are exact.

    Attributes
    ----------
    values, indices : Fraction
    pointers : int
    """

    values: Fraction
    indices: Fraction = Fraction(0)
    pointers: int = 0

    @property
    def words(self) -> int:
        """Values, indices and pointers together, as the papers count them."""
        return ceil_fraction(self.values + self.indices + self.pointers)

    def bits(self, widths: Mapping[str, int]) -> int:
        """Return the size with the given widths [bit]."""
        found = self.values * widths["value"] + self.indices * widths["index"]
        return ceil_fraction(found + self.pointers * widths["pointer"])


def _im2col(given: LoweredMap) -> Size | None:
    each = given.rows.outputs * given.cols.outputs * given.rows.window * given.cols.window
    return Size(Fraction(given.maps * each))


def _mec(given: LoweredMap) -> Size | None:
    return Size(Fraction(given.maps * given.cols.outputs * given.padded_rows * given.cols.window))


def _cscc(given: LoweredMap) -> Size | None:
    met = len(window_pairs(given.cols)[0])  # (window, column) pairs off the padding
    copies = given.maps * given.density * given.rows.inputs * met
    return Size(copies, copies, given.maps * (given.cols.outputs + 1))


def _pointers(given: LoweredMap) -> int:
    line = given.cols.outputs + 1
    each = line if given.patterns == 1 else min(line, 3) + (given.patterns - 1) * line
    return given.maps * each


def _cpo(given: LoweredMap) -> Size | None:
    if given.cols.dilation > 1 or given.rows.dilation > 1:
        return None
    nonzeros = given.maps * given.nonzeros
    return Size(nonzeros, nonzeros, _pointers(given))


def _cps(given: LoweredMap) -> Size | None:
    if given.cols.dilation > 1 or given.rows.dilation > 1:
        return None
    full, rest = divmod(given.rows.inputs, _GROUP)
    indices = full * _expected_indices(_GROUP, given.density) + _expected_indices(rest, given.density)
    return Size(given.maps * given.nonzeros, given.maps * given.cols.inputs * indices, _pointers(given))


def _expected_indices(cells: int, density: Fraction) -> Fraction:
    """Expected indices of cells that share theirs: 2 for two and more nonzeros, else one each."""
    zero = 1 - density
    if cells == 0:
        return Fraction(0)
    return 2 - 2 * zero**cells - cells * density * zero ** (cells - 1)


#: Storage -> function (map) -> its size, or None where it is not defined.
STORAGES: dict[str, Callable[[LoweredMap], Size | None]] = {
    "im2col": _im2col,
    "mec": _mec,
    "cscc": _cscc,
    "cpo": _cpo,
    "cps": _cps,
}


@dataclass(frozen=True)
class LayerFootprint:
    """The lowered input of one convolution.

    Attributes
    ----------
    layer : str
    input_shape : tuple of int
        Batch first.
    window, stride : (int, int)
    density : Fraction
        Share of nonzeros in the input.
    sizes : dict of str to Size or None
        By storage.
    """

    layer: str
    input_shape: tuple[int, ...]
    window: tuple[int, int]
    stride: tuple[int, int]
    density: Fraction
    sizes: dict[str, Size | None]


def footprint(
    model: str | Path | LayerGraph,
    density: float | str | Fraction | None = None,
    *,
    activations: ZerosSource | None = None,
    input: tuple[int, ...] | Mapping[str, tuple[int, ...]] | None = None,
    classes: int | None = None,
    batch: int | None = None,
) -> tuple[tuple[LayerFootprint, ...], tuple[str, ...]]:
    """Return the lowering memory of every convolution, in network order, and the layers left out.

    Parameters
    ----------
    model : str, Path or LayerGraph
    density : number, optional
        Share of nonzeros in every tensor but the network's inputs, 0 to 1.
    activations : optional
        Zero fractions by tensor instead: see :mod:`energysim.densities`.
    input, classes, batch
        See :func:`energysim.estimate`.

    Returns
    -------
    layers : tuple of LayerFootprint
    left : tuple of str
        Transposed and deformable convolutions, which none of the storages is for.

    Raises
    ------
    DensityError
        A density that is no number from 0 to 1.
    UsageError
        Neither or both of ``density`` and ``activations``, or a network without convolutions.
    """
    graph = load_model(model, input, classes, batch)
    if (density is None) == (activations is None):
        raise UsageError("give either a density, such as 0.3, or zero fractions of activations by tensor")
    zeros = read_zeros(1 - _density(density)) if activations is None else read_zeros(activations)
    graph = apply_zeros(graph, zeros)
    found, left = [], []
    for node in graph.nodes:
        if isinstance(node.op, ConvTranspose2d | DeformConv2d):
            left.append(node.name)
        if not isinstance(node.op, Conv2d):
            continue
        made = _lowered(graph, node.inputs[0], graph.output_shapes(node)[0], node.op)
        sizes = {name: size(made) for name, size in STORAGES.items()}
        shape = graph.input_shapes(node)[0]
        found.append(LayerFootprint(node.name, shape, node.op.window, node.op.stride, made.density, sizes))
    if not found:
        raise UsageError(f"{graph.name!r} has no convolution: nothing of it is lowered")
    return tuple(found), tuple(left)


def _density(given: float | str | Fraction | None) -> Fraction:
    try:
        value = exact_fraction(given)  # type: ignore[arg-type]
        if isinstance(given, bool) or not 0 <= value <= 1:
            raise ValueError
    except (ValueError, TypeError, ArithmeticError):
        shown = str(given)[:40]
        raise DensityError(f"a density is a number from 0 to 1, not {shown!r}") from None
    return value


def _lowered(graph: LayerGraph, tensor: str, output: tuple[int, ...], op: Conv2d) -> LoweredMap:
    batch, channels, height, width = graph.tensors[tensor].shape
    return LoweredMap(
        batch * channels,
        Axis(output[2], height, op.window[0], op.stride[0], op.dilation[0], op.padding[0]),
        Axis(output[3], width, op.window[1], op.stride[1], op.dilation[1], op.padding[2]),
        height + op.padding[0] + op.padding[1],
        graph.tensors[tensor].density,
    )


def footprint_records(
    layers: tuple[LayerFootprint, ...], widths: Mapping[str, int] = WIDTHS
) -> list[dict[str, object]]:
    """Return a record per layer: sizes in words (all of one width) and in bits, and the smallest in bits.

    A storage that is not defined for a layer is None.
    """
    found = []
    for each in layers:
        record: dict[str, object] = {
            "layer": each.layer,
            "input": text(each.input_shape),
            "window": text(each.window),
            "stride": text(each.stride),
            "density": round(float(each.density), 6),
        }
        for name, size in each.sizes.items():
            record[f"{name}_words"] = None if size is None else size.words
        for name, size in each.sizes.items():
            record[f"{name}_bits"] = None if size is None else size.bits(widths)
        known = {name: size.bits(widths) for name, size in each.sizes.items() if size is not None}
        record["smallest"] = min(known, key=lambda name: known[name])
        found.append(record)
    return found


def read_footprint_widths(given: str | None) -> dict[str, int]:
    """Return the widths written as ``64`` or ``value=8,index=16,pointer=32`` [bit].

    Raises
    ------
    UsageError
        For anything else.
    """
    found = dict(WIDTHS)
    if given is None:
        return found
    items = given.split(",") if "=" in given else [f"{name}={given}" for name in WIDTHS]
    seen = set()
    for item in items:
        name, _, value = (part.strip() for part in item.partition("="))
        if name not in WIDTHS:
            raise UsageError(f"widths: unknown {name!r}{near_miss(name, WIDTHS)} ({', '.join(WIDTHS)})")
        if name in seen:
            raise UsageError(f"widths: {name} is given twice")
        if not (value.isascii() and value.isdigit() and len(value) < 4 and 1 <= int(value) <= _WIDEST):
            raise UsageError(f"widths: {name} is a whole number of bits from 1 to {_WIDEST}, not {value!r}")
        found[name] = int(value)
        seen.add(name)
    return found
