"""One BLAS thread: parallelism is ours, over images (two OpenBLAS threads spin against each other)."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from functools import cache
from importlib import import_module
from typing import Any

__all__ = ["one_blas_thread"]


@cache
def _controller() -> Any:
    """Return what sets the threads of loaded BLAS libraries; None without the package threadpoolctl."""
    try:
        return import_module("threadpoolctl").ThreadpoolController()
    except ImportError:
        return None


def one_blas_thread() -> AbstractContextManager[Any]:
    """Return a context in which matrix products use one thread each.

    Without threadpoolctl it does nothing: set ``OMP_NUM_THREADS=1`` before the start instead.
    """
    controller = _controller()
    return nullcontext() if controller is None else controller.limit(limits=1, user_api="blas")
