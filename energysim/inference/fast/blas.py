"""The matrix product of the fast plan: NumPy's BLAS, called so that it can add to its output.

``numpy.matmul`` cannot accumulate. The BLAS library that NumPy's wheels bundle can
(``C = A B + beta C``) and is reached through ctypes; where its symbol is not found (another build
of NumPy), ``matmul`` and an addition take its place, with equal results.

OpenBLAS spins when it has more threads than cores to itself, so products run on one thread;
parallelism is the plan's own. ``threadpoolctl`` (extra ``[fast]``) limits any BLAS; without it the
bundled library is asked directly; failing both, set ``OMP_NUM_THREADS=1`` before starting Python.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from energysim.inference.fast.layout import Array

__all__ = ["backend", "gemm", "gemm_call", "one_thread"]

_ROW_MAJOR, _NO, _YES = 101, 111, 112


@cache
def _library() -> ctypes.CDLL | None:
    """The OpenBLAS bundled with NumPy, if there is one with 64-bit indices."""
    folder = Path(np.__file__).parent
    found = [*folder.with_name("numpy.libs").glob("*openblas64*"), *(folder / ".dylibs").glob("*openblas64*")]
    for path in found:
        try:
            library = ctypes.CDLL(str(path))
            _ = library.scipy_cblas_sgemm64_
        except (OSError, AttributeError):
            continue
        return library
    return None


@cache
def _sgemm() -> Callable[..., Any] | None:
    library = _library()
    if library is None:
        return None
    call = library.scipy_cblas_sgemm64_
    whole, real, place = ctypes.c_int64, ctypes.c_float, ctypes.c_void_p
    flags = [ctypes.c_int] * 3
    call.argtypes = [*flags, *[whole] * 3, real, place, whole, place, whole, real, place, whole]
    call.restype = None
    return call


def backend() -> str:
    """Return which products accumulate: ``"cblas"`` or ``"matmul"``."""
    return "matmul" if _sgemm() is None else "cblas"


def _pitch(matrix: Array) -> int:
    """Floats from a row to the next; raise ValueError unless rows are contiguous."""
    if matrix.dtype != np.float32 or matrix.ndim != 2 or (matrix.shape[1] > 1 and matrix.strides[1] != 4):
        raise ValueError("a factor is a float32 matrix with contiguous rows")
    return max(int(matrix.strides[0]) // 4 if matrix.shape[0] > 1 else 0, int(matrix.shape[1]), 1)


def gemm_call(left: Array, right: Array, out: Array, add: bool = False) -> Callable[[], Any]:
    """Return a function without arguments that does ``out = left @ right`` (``+= `` with ``add``).

    The factors (m, k) and (k, n) and the output (m, n) are float32 matrices with contiguous rows;
    the function keeps them alive. Reading what they hold happens when it is called.
    """
    (m, k), n = left.shape, right.shape[1]
    if right.shape[0] != k or out.shape != (m, n):
        raise ValueError(f"{left.shape} @ {right.shape} -> {out.shape}")
    call = _sgemm()
    pitches = _pitch(left), _pitch(right), _pitch(out)
    if call is None:
        if add:
            space = np.empty((m, n), dtype=np.float32)
            return lambda: np.add(out, np.matmul(left, right, out=space), out=out)
        return lambda: np.matmul(left, right, out=out)
    arguments = (
        *(_ROW_MAJOR, _NO, _NO),
        *(m, n, k, 1.0),
        *(left.ctypes.data, pitches[0], right.ctypes.data, pitches[1]),
        *(1.0 if add else 0.0, out.ctypes.data, pitches[2]),
    )
    kept = (left, right, out)

    def run(_kept: tuple[Array, ...] = kept) -> None:
        call(*arguments)

    return run


def gemm(left: Array, right: Array, out: Array, add: bool = False) -> None:
    """``out = left @ right``, or ``out += left @ right``."""
    gemm_call(left, right, out, add)()


def one_thread() -> AbstractContextManager[Any]:
    """Return a context in which BLAS uses one thread, as far as it can be told."""
    controller = _controller()
    if controller is not None:
        return controller.limit(limits=1, user_api="blas")  # type: ignore[no-any-return]
    library = _library()
    return nullcontext() if library is None else _limited(library)


@cache
def _controller() -> Any:
    """threadpoolctl's view of the loaded libraries (finding them takes milliseconds), or None."""
    try:
        return import_module("threadpoolctl").ThreadpoolController()
    except ImportError:
        return None


@contextmanager
def _limited(library: ctypes.CDLL) -> Iterator[None]:
    try:
        before = int(library.scipy_openblas_get_num_threads64_())
        limit = library.scipy_openblas_set_num_threads64_
    except AttributeError:
        yield
        return
    limit(1)
    try:
        yield
    finally:
        limit(before)
