"""``energysim baseline``."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from energysim.cli.groups import NearGroup
from energysim.cli.options import Target, estimate_options, output_options, read_shape

__all__ = ["command"]


@click.group("baseline", cls=NearGroup)
def command() -> None:
    """Keep the numbers of an estimate in a file that energysim check compares with."""


def _create_options(function: Any) -> Any:
    """The options of estimate; without a model the unit costs of the hardware are kept."""
    function = estimate_options(function)
    left = []
    for parameter in function.__click_params__:
        if parameter.name == "model":
            parameter.required = False
        if parameter.name != "search_seconds":  # numbers that depend on the time a search has are no contract
            left.append(parameter)
    function.__click_params__ = left
    return function


@command.command("create")
@_create_options
@click.option(
    "--output",
    "-o",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="By default baselines/MODEL-HARDWARE.json, or baselines/unit-HARDWARE.json.",
)
@click.option("--force", is_flag=True, help="Replace a file that is there already.")
def create(output: Path | None, force: bool, **options: Any) -> None:
    """Estimate MODEL and keep its numbers; without MODEL keep the unit costs of the hardware.

    The file records how to make it anew, with files relative to its own folder.
    """
    from energysim.regression import take, write_baseline

    recipe = _recipe(options)
    if output is not None:
        _need_place(output, force)
    made = take(recipe)
    if recipe.model:  # as they are written down: 'all' stands for what it stands for today
        recipe = replace(recipe, sparsity=tuple(made.table))
    default = f"{Path(recipe.model).stem}-{made.hardware}" if recipe.model else f"unit-{made.hardware}"
    path = Path("baselines", f"{default}.json") if output is None else output
    if output is None:
        _need_place(path, force)
    stored = recipe.stored_in(path.parent)
    write_baseline(replace(made, recipe=stored), path)
    click.echo(f"wrote {path}", err=True)


def _need_place(path: Path, force: bool) -> None:
    from energysim.errors import UsageError

    if path.is_dir():
        raise UsageError(f"{path}: cannot be written: it is a directory")
    if path.exists() and not force:
        raise UsageError(
            f"{path}: is there already; energysim baseline update {path} recomputes it, --force replaces it"
        )


def _recipe(options: dict[str, Any]) -> Any:
    """The recipe of the options of estimate."""
    from energysim.errors import UsageError
    from energysim.regression import Recipe

    shape, mapping = read_shape(options.pop("shape")), options.pop("mapping")
    model, hardware = options.pop("model") or "", options.pop("hardware")
    given = Recipe(
        model=model,
        hardware=hardware,
        sparsity=tuple(options.pop("sparsity")),
        input=shape,
        mapping=None if mapping is None else str(mapping),
        **options,
    )
    if not model and given != Recipe(hardware=hardware):
        raise UsageError(
            "without a MODEL a baseline keeps the unit costs of --hardware; no other option counts"
        )
    return given


@command.command("update")
@click.argument("baselines", nargs=-1, required=True, type=click.Path(path_type=Path))
def update(baselines: tuple[Path, ...]) -> None:
    """Recompute BASELINES (files, or folders of them) and write what they are now.

    What moved is told on stdout. A file that cannot be recomputed stays as it is.
    """
    from energysim.errors import EnergysimError, UsageError
    from energysim.regression import baseline_files, compare, read_baseline, write_baseline
    from energysim.regression.checking import recomputed
    from energysim.regression.words import verdict

    errors = []
    for path in baseline_files(baselines):
        try:
            old = read_baseline(path)
            new = recomputed(path, old)
            told = verdict(compare(old, new))
            changed = write_baseline(new, path)
        except EnergysimError as error:
            text = str(error)
            errors.append(text if text.startswith(str(path)) else f"{path}: {text}")
            continue
        click.echo(f"{path}: {'written' if changed else 'unchanged'}: {told}")
    if errors:
        raise UsageError("\n".join(errors))


@command.command("show")
@click.argument("baseline", type=click.Path(path_type=Path))
@output_options
def show(baseline: Path, form: str | None, output: Path | None) -> None:
    """Print what a BASELINE was made from, and its sums; as csv or json all its numbers."""
    from energysim.regression import read_baseline
    from energysim.regression.baseline_json import render_baseline
    from energysim.regression.text import csv_of, shown

    target = Target(form, output)
    found = read_baseline(baseline)
    makers = {
        "json": lambda: render_baseline(found),
        "csv": lambda: csv_of(found),
        "markdown": lambda: shown(found, str(baseline), True),
        "table": lambda: shown(found, str(baseline)),
    }
    target.put(lambda form: makers[form]())
