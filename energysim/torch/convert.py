"""A module -> a layer graph with its weights, by way of ONNX (PyTorch's newer exporter)."""

from __future__ import annotations

import contextlib
import copy
import io
import logging
import traceback
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch

from energysim.errors import ModelError, UsageError
from energysim.graph import LayerGraph
from energysim.inference.weights import FloatArray
from energysim.torch.layers import check_module, run_once
from energysim.torch.masks import bake
from energysim.torch.needs import need_exporter
from energysim.torch.support_mask import installed_mask

__all__ = ["from_torch", "to_program"]


def from_torch(module: Any, example: Any) -> tuple[LayerGraph, dict[str, FloatArray]]:
    """Return a module as a layer graph, and its weights.

    Masks of :func:`energysim.torch.sparsify` are written into the weights of a copy; layers bear the
    names they have in ``named_modules()``. Batch norms behind a convolution come folded into it, as
    the exporter writes them.

    Parameters
    ----------
    module : torch.nn.Module
        In evaluation mode.
    example : tensor or tuple of tensors
        What the module is run on, batch first; shapes follow from it, the batch too.

    Returns
    -------
    LayerGraph, dict of str to float32 array

    Raises
    ------
    UsageError
        If onnx or onnxscript is missing, this is no module or one in training mode, or it fails on
        the example.
    ModelError
        If the exporter refuses it: a way that depends on values, an operator without ONNX form.
    EnergysimError
        If what the exporter writes cannot be read: see the ONNX importer.
    """
    from energysim.importers import import_onnx

    found = import_onnx(to_program(module, example))
    return found.graph, dict(found.weights)


def to_program(module: Any, example: Any) -> bytes:
    """Return a module as an ONNX file's bytes; parameters and errors as for :func:`from_torch`."""
    check_module(module)
    need_exporter()
    kind = type(module).__name__
    training = [name or kind for name, part in module.named_modules() if part.training]
    if training:
        some = ", ".join(repr(name) for name in training[:3]) + (", ..." if len(training) > 3 else "")
        raise UsageError(
            f"{kind} is in training mode ({some}), in which dropout and batch norm are other operators: "
            "call .eval() first"
        )
    given = run_once(module, example)
    plain = module
    if any(installed_mask(part) is not None for part in module.modules()):
        plain = copy.deepcopy(module)
        bake(plain)
    with _quiet():
        try:
            program: Any = torch.onnx.export(plain, given, dynamo=True, verbose=False)
            model = program.model_proto
            model.graph.name = kind
            data: bytes = model.SerializeToString()
        except Exception as error:  # the exporter raises whatever it met
            raise ModelError(f"{kind} cannot be exported to ONNX: {_reason(error)}") from error
    return data


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep back what the exporter prints, logs and warns about: the errors are told by us."""
    before = logging.root.manager.disable
    nowhere = io.StringIO()
    with (
        contextlib.redirect_stdout(nowhere),
        contextlib.redirect_stderr(nowhere),
        warnings.catch_warnings(),
    ):
        warnings.simplefilter("ignore")
        logging.disable(logging.CRITICAL)
        try:
            yield
        finally:
            logging.disable(before)


def _reason(error: BaseException) -> str:
    """The first line of what went wrong at the bottom, and the user's line it went wrong in."""
    chain = [error]
    while (deeper := chain[-1].__cause__ or chain[-1].__context__) is not None and deeper not in chain:
        chain.append(deeper)
    root = chain[-1]
    line = next(iter(str(root).strip().splitlines()), "") or type(root).__name__
    where = _users_line(chain)
    hint = ""
    if "data-dependent" in str(root):
        hint = "; what it does depends on the values of a tensor (an if, a loop, a shape): write it without"
    return f"{line}{f' ({where})' if where else ''}{hint}"


def _users_line(chain: list[BaseException]) -> str:
    """``file:line`` of the deepest frame that is neither PyTorch's nor ours; empty if there is none."""
    theirs = [str(Path(str(package)).resolve()) for package in (*torch.__path__, Path(__file__).parent)]
    for error in reversed(chain):
        for frame in reversed(traceback.extract_tb(error.__traceback__)):
            file = str(Path(frame.filename).resolve())
            if Path(file).is_file() and "site-packages" not in file and not file.startswith(tuple(theirs)):
                return f"{Path(file).name}:{frame.lineno}"
    return ""
