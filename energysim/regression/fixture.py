"""What the fixture ``energy_baseline`` is: baselines of a project's own networks, kept by its tests."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any, NoReturn

from energysim.errors import EnergysimError, UsageError
from energysim.graph import LayerGraph
from energysim.regression.baseline import Baseline
from energysim.regression.baseline_json import read_baseline, write_baseline
from energysim.regression.checking import CheckResult, recomputed
from energysim.regression.comparison import compare
from energysim.regression.digests import graph_digest, mappings_digest
from energysim.regression.engine import engine_digests
from energysim.regression.files import missing
from energysim.regression.recipe import Recipe
from energysim.regression.taking import of_report, take
from energysim.regression.text import check_text
from energysim.regression.tolerances import need_matches, parse_tolerance
from energysim.report import Report
from energysim.walker import estimate

__all__ = ["EnergyBaseline"]


class EnergyBaseline:
    """Compares estimates with baselines, or writes them if pytest was asked to.

    Parameters
    ----------
    folder : Path
        Where the baselines lie.
    test, identity : str
        Name of the test, and what pytest calls it on the command line.
    update : bool
        Whether baselines are written instead.
    written : dict
        Gets the files written and the tests that wrote them.
    """

    def __init__(
        self, folder: Path, test: str, identity: str, update: bool, written: dict[Path, str]
    ) -> None:
        self.folder, self.update = folder, update
        self._test, self._identity, self._written = test, identity, written

    def check(
        self,
        what: Report | LayerGraph | str | Path,
        name: str | None = None,
        *,
        tolerances: str | Iterable[str] = (),
        **options: Any,
    ) -> None:
        """Fail the test if a number is not that of the baseline.

        Parameters
        ----------
        what : Report, LayerGraph, str or Path
            A report, or whatever :func:`energysim.estimate` takes.
        name : str, optional
            Of the baseline file, without ``.json``; by default the name of the test.
        tolerances : str or iterable of str
            ``[LAYERS:]COLUMNS=-FALL..+RISE``; see :mod:`energysim.regression.tolerances`.
        **options
            Arguments of :func:`energysim.estimate`: ``sparsity``, ``hardware`` and so on.
        """
        __tracebackhide__ = True
        try:
            path = self._path(name)
            problem = self._compared(path, self._made(what, options), tolerances)
        except EnergysimError as error:
            problem = str(error)
        if problem:
            _fail(problem)

    def check_file(self, path: str | Path, *, tolerances: str | Iterable[str] = ()) -> None:
        """Fail the test if a number of a baseline is not what its recipe makes now.

        Parameters
        ----------
        path : str or Path
            A baseline that ``energysim baseline create`` made.
        tolerances : str or iterable of str
            As for :meth:`check`.
        """
        __tracebackhide__ = True
        path = Path(path)
        if not path.exists():
            _fail(missing(path))
        try:
            problem = self._compared(path, recomputed(path, read_baseline(path), engine=False), tolerances)
        except EnergysimError as error:
            problem = str(error)
        if problem:
            _fail(problem)

    def _path(self, name: str | None) -> Path:
        stem = re.sub(r"[^\w.+=-]+", "-", self._test).strip("-.") if name is None else name
        if not re.fullmatch(r"\w[\w.+= -]*", stem):
            raise UsageError(
                f"energy_baseline: a baseline's name has letters, digits and .+=_-, not {name!r:.80}"
            )
        path = self.folder / f"{stem}.json"
        return Path(os.path.relpath(path)) if path.is_relative_to(Path.cwd()) else path

    def _made(self, what: Report | LayerGraph | str | Path, options: dict[str, Any]) -> Baseline:
        if isinstance(what, Report):
            if options:
                raise UsageError(
                    f"energy_baseline: a report is made already: {', '.join(options)} cannot count"
                )
            return of_report(what)
        if options.get("search_seconds") is not None:
            raise UsageError("energy_baseline: search_seconds: numbers that depend on time cannot be held")
        recipe = _recipe(what, options)
        if recipe is not None:
            new = take(recipe, engine=False)
            recipe = replace(recipe, sparsity=tuple(new.table)).stored_in(self.folder)
            return replace(new, recipe=recipe)
        made = of_report(estimate(what, **options))
        if isinstance(what, LayerGraph):
            network = {**made.inputs["network"], "digest": graph_digest(what)}
            made = replace(made, inputs={**made.inputs, "network": network})
        if options.get("mapping"):
            files = {"mapping": mappings_digest(options["mapping"])}
            made = replace(made, inputs={**made.inputs, "files": files})
        return made

    def _compared(self, path: Path, new: Baseline, tolerances: str | Iterable[str]) -> str:
        """Compare or write; return what is wrong, or nothing."""
        if self.update:
            self._write(path, replace(new, engine=engine_digests()))
            return ""
        if not path.exists():
            command = f"pytest {shlex.quote(self._identity)} --energy-update"
            return f"{path}: no such baseline; create it: {command}"
        old = read_baseline(path)
        if old.network != new.network:
            return (
                f"{path}: a baseline of another network: it is of {old.title}, the test estimates {new.title}"
            )
        texts = [tolerances] if isinstance(tolerances, str) else tolerances
        rules = [parse_tolerance(text) for text in texts]
        found = compare(old, new, rules)
        need_matches(rules, found.numbers)
        if found.passed:
            return ""
        found = replace(found, new=replace(new, engine=engine_digests()))
        return check_text([CheckResult(path, found)])

    def _write(self, path: Path, baseline: Baseline) -> None:
        before = self._written.get(path)
        if before is not None:
            raise UsageError(f"{path}: {before} has written it already: give check another name=")
        write_baseline(baseline, path)
        self._written[path] = self._identity


def _recipe(what: LayerGraph | str | Path, options: dict[str, Any]) -> Recipe | None:
    """How a file could make it anew; None where it cannot: a graph or hardware made in memory."""
    given = {name: str(value) if isinstance(value, Path) else value for name, value in options.items()}
    sparsity = given.pop("sparsity", "dense")
    texts = [sparsity] if isinstance(sparsity, str) else sparsity
    plain = isinstance(what, str | Path) and isinstance(texts, list | tuple)
    if not plain or not all(isinstance(text, str) for text in texts):
        return None
    if type(given.get("bits")) is int:
        given["bits"] = str(given["bits"])
    try:
        return Recipe.from_plain(
            {"model": str(what), "sparsity": list(texts)}
            | {name: list(v) if isinstance(v, tuple) else v for name, v in given.items() if v is not None}
        )
    except ValueError:
        return None


def _fail(message: str) -> NoReturn:
    __tracebackhide__ = True
    import pytest

    pytest.fail(message, pytrace=False)
