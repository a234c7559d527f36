"""Which path runs which convolution: by rules, by timing, or as told.

The rules come from measurements on one core of a server CPU (AVX-512, 1 MiB of second-level cache).
Timing runs every path that fits three times, and remembers the fastest for equal layers.
A layer with a sparse kernel is only ever given paths that hold and multiply existing weights, unless
it is told otherwise, or timing may try a transform.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from importlib.util import find_spec
from typing import Literal

import numpy as np

from energysim.errors import UsageError, near_miss
from energysim.inference.fast.dense import Depthwise, Im2col, Taps
from energysim.inference.fast.direct import CompiledDepthwise, DirectFilters, DirectPixels
from energysim.inference.fast.gather import Fancy, Gather
from energysim.inference.fast.geometry import Convolution
from energysim.inference.fast.layout import zeros
from energysim.inference.fast.path import Buffers, Path
from energysim.inference.fast.periodic import Pair, Run, Scatter
from energysim.inference.fast.transform import CompiledWinograd4
from energysim.inference.fast.winograd import Winograd2, Winograd4

__all__ = ["PATHS", "Choice", "Chooser", "numba_present"]

Choice = Literal["auto", "time"] | Mapping[str, str]

_ALL: tuple[type[Path], ...] = (
    *(Im2col, Taps, Depthwise, Winograd2, Winograd4),
    *(Gather, Fancy, Run, Pair, Scatter),
    *(DirectPixels, DirectFilters, CompiledDepthwise, CompiledWinograd4),
)
#: All paths by name.
PATHS: dict[str, type[Path]] = {path.name: path for path in _ALL}
_COMPILED = (DirectPixels, DirectFilters, CompiledDepthwise, CompiledWinograd4)
_COMPACT = (Gather, Fancy, Run, Pair, Scatter, DirectPixels, DirectFilters)
#: Layers timed before: what they depend on -> name of the fastest path.
_FASTEST: dict[tuple[object, ...], str] = {}
_ROUNDS = 3
#: Rows whose weights for 64 filters fill half of a second-level cache of 1 MiB.
_ROWS = 2048
#: Fewest channels and filters of a layer that compiled plans, too, leave to BLAS.
_DEEP = 256


def numba_present() -> bool:
    """Return whether the compiled paths can be used."""
    return find_spec("numba") is not None


class Chooser:
    """Gives every convolution its path.

    Parameters
    ----------
    choose : {"auto", "time"} or mapping of node name to path name
        Nodes a mapping does not name are chosen by rule.
    compiled : bool
        Whether compiled paths may be used.
    winograd : bool
        Whether transform paths may be used.
    small : bool
        Take the path with the least memory: tiled im2col on the weights as they lie, and compact
        paths for sparse kernels.

    Raises
    ------
    UsageError
        A path that does not exist, or cannot be used here.
    """

    def __init__(self, choose: Choice, compiled: bool, winograd: bool, small: bool = False) -> None:
        if isinstance(choose, str) and choose not in ("auto", "time"):
            raise UsageError(f"choose is auto, time, or a mapping of node to path, not {choose!r}")
        self._told: Mapping[str, str] = {} if isinstance(choose, str) else choose
        for node, name in self._told.items():
            if name not in PATHS:
                raise UsageError(f"node {node!r}: unknown path {name!r}{near_miss(name, PATHS)}")
            if issubclass(PATHS[name], _COMPILED) and not compiled:
                raise UsageError(f"node {node!r}: path {name!r} needs numba (pip install 'energysim[fast]')")
        self._timed = choose == "time"
        self._compiled, self._winograd, self._small = compiled, winograd, small

    @property
    def told(self) -> tuple[str, ...]:
        """Nodes whose paths were given."""
        return tuple(self._told)

    def __call__(self, node: str, conv: Convolution) -> Path:
        """Return the path of a convolution, made."""
        if node in self._told:
            kind = PATHS[self._told[node]]
            if not kind.fits(conv):
                raise UsageError(f"node {node!r}: path {kind.name!r} does not fit this convolution")
            return kind(conv)
        if self._timed:
            return self._fastest(conv)
        return self._by_rule(conv)(conv)

    def _by_rule(self, conv: Convolution) -> type[Path]:
        if not conv.kernel.is_dense:
            return self._compiled_rule(conv) if self._compiled else _compact_rule(conv)
        if self._small:
            return Im2col
        if Depthwise.fits(conv):
            return CompiledDepthwise if self._compiled else Depthwise
        if self._winograd and (found := _transform_rule(conv, self._compiled)) is not None:
            return found
        if self._compiled:
            return self._compiled_rule(conv)
        g = conv.geometry
        wide = g.groups == 1 and g.channels >= 32 and g.pixels >= 256 and g.window != (1, 1)
        return Taps if wide else Im2col

    @staticmethod
    def _compiled_rule(conv: Convolution) -> type[Path]:
        """Filters as vectors where maps are tiny, classes fill a vector and weights stay in cache."""
        classes, pixels = conv.kernel.classes(), conv.geometry.pixels
        filters = conv.geometry.filters / (len(classes) * conv.geometry.groups)
        rows = max(len(c.taps) for c in classes)
        tiny = pixels <= 16 or (pixels <= 64 and rows <= _ROWS)
        return DirectFilters if tiny and filters >= 16 else DirectPixels

    def candidates(self, conv: Convolution) -> list[type[Path]]:
        """Return the paths that timing tries."""
        found = []
        for path in _ALL:
            if issubclass(path, _COMPILED) and not self._compiled:
                continue
            if path.transform:
                if self._winograd and path.fits(conv):
                    found.append(path)
                continue
            if path is Gather and conv.kernel.period is None:
                continue  # one class per filter: finding equal distances takes longer than running
            suits = conv.kernel.is_dense != issubclass(path, _COMPACT) or issubclass(path, _COMPILED)
            if suits and path.fits(conv):
                found.append(path)
        return found

    def _fastest(self, conv: Convolution) -> Path:
        key = conv.geometry, conv.kernel, conv.residual, self._compiled, self._winograd
        if key not in _FASTEST:
            kinds = self.candidates(conv)
            times = {kind.name: _time(kind(conv)) for kind in kinds}
            _FASTEST[key] = min(times, key=lambda name: times[name])
        return PATHS[_FASTEST[key]](conv)


def _compact_rule(conv: Convolution) -> type[Path]:
    """NumPy alone: no copies where products are long enough or little is kept."""
    if not Run.fits(conv):
        return Fancy if conv.kernel.period is None else Gather
    g = conv.geometry
    kept = conv.kernel.nonzeros / (conv.kernel.shape[0] * conv.kernel.shape[1])
    if g.pixels <= 16:
        return Gather
    if kept < 1.5 or g.pixels >= 1 << 14 or (g.channels >= 256 and g.pixels >= 1 << 9):
        return Pair
    return Pair if g.channels >= 512 and g.pixels >= 100 else Run


def _transform_rule(conv: Convolution, compiled: bool) -> type[Path] | None:
    """Transforms where channels are enough to pay for them.

    Compiled transforms are cheaper, BLAS multiplies faster: it is left the deep layers, whose
    products are most of the work.
    """
    g = conv.geometry
    if not Winograd4.fits(conv):
        return None
    least = min(g.channels, g.filters)
    if compiled and (least < _DEEP or g.pixels >= 1024):
        return CompiledWinograd4 if least >= 16 and g.pixels >= 144 else None
    if least < 16 or g.pixels < 4:
        return None
    return Winograd4 if least >= 32 and g.pixels >= 400 else Winograd2


def _time(path: Path) -> float:
    """Seconds of CPU time of a path on buffers of its own: the median of three runs after a first."""
    g = path.conv.geometry
    source = zeros(g.batch, g.channels, g.source.stride)
    g.source.pixels(source)[...] = np.linspace(-1, 1, g.source.width, dtype=np.float32)
    target = zeros(g.batch, g.filters, g.target.stride)
    residual = zeros(*target.shape) if path.conv.residual else None
    space = zeros(path.scratch)
    calls = path.bind(Buffers(source, target, residual, space))
    found = []
    for _ in range(_ROUNDS + 1):
        start = time.thread_time()
        for call in calls:
            call()
        found.append(time.thread_time() - start)
    return sorted(found[1:])[_ROUNDS // 2]
