"""Names and files -> graph. The zoo is loaded by the very function that loads a user's file.

A builder file is Python with a function ``build(input, classes, **variant) -> LayerGraph``.
A zoo file also has ``MODELS``: name -> arguments of ``build``. ONNX files are imported.
"""

from __future__ import annotations

import inspect
import sys
import traceback
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

from energysim.errors import EnergysimError, ModelError, UnknownNameError, near_miss
from energysim.graph import LayerGraph
from energysim.resources import data_folder

__all__ = ["load_model", "model_names"]


def model_names() -> list[str]:
    """Return the names of the zoo, sorted."""
    return sorted(_index())


def load_model(
    model: str | Path | LayerGraph,
    input: Sequence[int] | Mapping[str, Sequence[int]] | None = None,
    classes: int | None = None,
    batch: int | None = None,
    allow_unknown: bool = False,
) -> LayerGraph:
    """Return the layer graph of a zoo name, a builder file, an ONNX file, or a graph itself.

    Parameters
    ----------
    model : str, Path or LayerGraph
        A zoo name (``"vgg16"``), a path to a Python builder file or an ONNX file, or a graph.
    input : sequence of int, or mapping of str to sequence of int, optional
        Shape of one sample (C, H, W) instead of the network's own. Of an ONNX file: lengths that it
        leaves open, as the shape of one sample or as whole shapes, batch first, by input.
    classes : int, optional
        Number of classes instead of the network's own.
    batch : int, optional
        Batch size, 1 if not given (a graph or an ONNX file keeps its own).
    allow_unknown : bool
        Whether operators of an ONNX file that nobody knows become nodes of unknown cost.

    Raises
    ------
    UnknownNameError
        No such name; offers the nearest.
    ModelError
        The file cannot be loaded, has no ``build``, or does not take what was asked; names
        the line of the file where it failed.
    GraphError, ShapeError
        The network is not well formed, or does not fit the input.
    """
    if classes is not None and (type(classes) is not int or classes < 1):
        raise ModelError(f"classes must be a whole number of at least 1, not {classes!r}")
    if isinstance(model, LayerGraph):
        if input is not None or classes is not None:
            raise ModelError(
                "a graph has its input and classes already: give a name or a file to change them"
            )
        return model if batch is None else model.with_batch(batch)
    if not isinstance(model, str | Path):
        raise ModelError(_stranger(model))
    name = str(model)
    if name.endswith(".onnx"):
        return _from_onnx(model, input, classes, batch, allow_unknown)
    if isinstance(input, Mapping):
        raise ModelError(
            f"{name} takes the shape of one sample, e.g. 3x64x64; shapes by name are for ONNX files"
        )
    if name.endswith(".py") or isinstance(model, Path) or "/" in name or "\\" in name:
        module, arguments = _load(Path(model)), {}
        label = Path(model).stem
    else:
        index = _index()
        if name not in index:
            raise UnknownNameError("model", name, index)
        module = _load(data_folder("models") / f"{index[name]}.py")
        arguments, label = dict(module.MODELS[name]), name
    if input is not None:
        arguments["input"] = tuple(input)
    if classes is not None:
        arguments["classes"] = classes
    graph = _build(module, arguments, label)
    graph.name = label
    return graph if batch is None else graph.with_batch(batch)


def _stranger(model: object) -> str:
    """What to say of an object that is no model here; PyTorch is asked only if it is there already."""
    torch = sys.modules.get("torch")
    hint = ""
    if torch is not None and isinstance(model, torch.nn.Module):
        hint = ": a PyTorch module is estimated by energysim.torch.estimate(module, example)"
    return f"a model is a name, a file or a LayerGraph, not {type(model).__name__}{hint}"


def _from_onnx(
    path: str | Path,
    input: Sequence[int] | Mapping[str, Sequence[int]] | None,
    classes: int | None,
    batch: int | None,
    allow_unknown: bool,
) -> LayerGraph:
    if classes is not None:
        raise ModelError(f"{path}: an ONNX file has its classes already")
    from energysim.importers import import_onnx

    graph = import_onnx(path, input, allow_unknown).graph
    return graph if batch in (None, graph.batch) else graph.with_batch(batch)


def _build(module: ModuleType, arguments: dict[str, Any], label: str) -> LayerGraph:
    if not callable(getattr(module, "build", None)):
        hint = near_miss("build", [n for n in vars(module) if not n.startswith("_")])
        raise ModelError(f"{module.__file__}: a model file needs a function build(...) -> LayerGraph{hint}")
    for name in arguments:
        _check_parameter(module, name)
    try:
        graph = module.build(**arguments)
    except EnergysimError:
        raise
    except (Exception, SystemExit) as error:
        raise ModelError(
            f"{_where(module.__file__, error)}: build({_call(arguments)}) failed: "
            f"{type(error).__name__}: {error}"
        ) from error
    if not isinstance(graph, LayerGraph):
        raise ModelError(f"{module.__file__}: build returned {type(graph).__name__}, not a LayerGraph")
    return graph


def _check_parameter(module: ModuleType, name: str) -> None:
    parameters = inspect.signature(module.build).parameters
    kinds = {p.kind for p in parameters.values()}
    if name not in parameters and inspect.Parameter.VAR_KEYWORD not in kinds:
        listed = ", ".join(parameters) or "nothing"
        raise ModelError(f"{module.__file__}: build takes {listed}, but no {name!r}")


def _where(path: str | Path | None, error: BaseException) -> str:
    """Return ``path:line`` of the last line of the file that the error went through."""
    line = error.lineno if isinstance(error, SyntaxError) and error.filename == str(path) else None
    for frame in traceback.extract_tb(error.__traceback__):
        if frame.filename == str(path):
            line = frame.lineno
    return f"{path}:{line}" if line else str(path)


def _call(arguments: dict[str, Any]) -> str:
    return ", ".join(f"{k}={v!r}" for k, v in arguments.items())


@cache
def _index() -> dict[str, str]:
    """Zoo name -> builder file, from the index of the zoo."""
    index = _load(data_folder("models") / "__init__.py")
    return {name: family for family, names in index.FAMILIES.items() for name in names}


def _load(path: Path) -> ModuleType:
    """Run a file as a module; its text is read every time and no byte code is left beside it."""
    if not path.is_file():
        raise ModelError(f"no model file {path}")
    if path.suffix != ".py":
        raise ModelError(f"{path}: a model file is a Python file (.py) or an ONNX file (.onnx)")
    module = ModuleType(f"energysim_model_{path.stem}")
    module.__file__ = str(path)
    sys.modules[module.__name__] = module  # where dataclasses look up their annotations
    try:
        exec(compile(path.read_bytes(), str(path), "exec"), vars(module))
    except BaseException as error:
        del sys.modules[module.__name__]
        if isinstance(error, EnergysimError) or not isinstance(error, Exception | SystemExit):
            raise
        detail = error.msg if isinstance(error, SyntaxError) else error
        raise ModelError(
            f"{_where(path, error)}: cannot be loaded: {type(error).__name__}: {detail}"
        ) from error
    return module
