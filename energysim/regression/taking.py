"""Making a baseline: from a recipe, or from a report that is there already."""

from __future__ import annotations

from energysim import __version__
from energysim.hardware import Hardware, describe_constants, load_hardware
from energysim.model_weights import weights_of
from energysim.regression.baseline import Baseline
from energysim.regression.counts import report_table, unit_costs
from energysim.regression.digests import digest, graph_digest, hardware_digest, mappings_digest
from energysim.regression.engine import engine_digests
from energysim.regression.recipe import Recipe
from energysim.report import Report
from energysim.schemes import parse_schemes
from energysim.schemes.bind import wants_weights
from energysim.walker import estimate
from energysim.zoo import load_model

__all__ = ["of_report", "take"]

_SETTINGS = ("cost_model", "objective", "fusion", "bits", "activations", "formats")

Sections = dict[str, dict[str, str]]


def of_report(report: Report, engine: bool = False) -> Baseline:
    """Return the numbers of a report as a baseline without a recipe.

    Parameters
    ----------
    report : Report
    engine : bool
        Whether the digests of the engine are taken as well: only of a report that it just made.

    Raises
    ------
    UsageError
        If a scheme or a layer stands in it twice.
    """
    return Baseline(
        _of_setup(report), report_table(report), None, engine_digests() if engine else {}, __version__
    )


def _of_setup(report: Report) -> Sections:
    setup = report.setup
    outline = tuple((row.node, row.kind, row.output_shape) for row in report.runs[0].layers)
    return {
        "network": {
            "name": setup.model,
            "input": setup.input,
            "batch": str(setup.batch),
            "parameters": str(setup.parameters),
            "outline": digest(outline),
        },
        "hardware": {"name": setup.hardware, "specification": setup.hardware_digest[:16]},
        "constants": {use.path: use.value for use in setup.constants},
        "settings": {name: getattr(setup, name) for name in _SETTINGS if getattr(setup, name)},
        "rules": _rules(setup.rules),
    }


def _rules(text: str) -> dict[str, str]:
    return {name: value for name, _, value in (rule.partition("=") for rule in text.split(","))}


def take(recipe: Recipe, engine: bool = True) -> Baseline:
    """Return the baseline that a recipe makes now; its files are relative to the working folder.

    Parameters
    ----------
    recipe : Recipe
    engine : bool
        Whether the digests of the engine are taken as well, which costs half a second once.

    Raises
    ------
    EnergysimError
        For anything that cannot be estimated.
    """
    hardware = load_hardware(recipe.hardware)
    digests = engine_digests() if engine else {}
    if not recipe.model:
        return Baseline(_of_hardware(hardware), unit_costs(hardware), recipe, digests, __version__)
    schemes = parse_schemes(recipe.sparsity or "dense")
    graph = load_model(recipe.model, recipe.input, recipe.classes, recipe.batch, recipe.allow_unknown)
    weighted = any(map(wants_weights, schemes))
    options = recipe.options
    if not weighted:  # a graph is read once; weights are found by the name of their model
        options.update(input=None, classes=None, batch=None)
    report = estimate(recipe.model if weighted else graph, schemes, hardware, **options)
    inputs = _of_setup(report)
    inputs["network"]["digest"] = graph_digest(graph)
    inputs.update(_of_hardware(hardware))
    inputs["schemes"] = {name: digest(parse_schemes(name)) for name in report.schemes}
    if weighted:  # whatever they come from: a file, the data beside an ONNX file, the zoo
        arrays, _ = weights_of(graph, recipe.model, recipe.weights)
        inputs["weights"] = {"digest": digest(dict(arrays))}
    if recipe.mapping:
        inputs["files"] = {"mapping": mappings_digest(recipe.mapping)}
    inputs = {section: values for section, values in inputs.items() if values}
    return Baseline(inputs, report_table(report), recipe, digests, __version__)


def _of_hardware(hardware: Hardware) -> Sections:
    return {
        "hardware": {"name": hardware.name, "digest": hardware_digest(hardware)},
        "constants": {row.path: row.value for row in describe_constants(hardware)},
    }
