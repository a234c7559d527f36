"""``energysim list``."""

from __future__ import annotations

import click

from energysim.cli.groups import NearGroup

__all__ = ["command"]


@click.group("list", cls=NearGroup)
def command() -> None:
    """List what can be named."""


def _print(rows: list[list[str]], header: list[str]) -> None:
    from tabulate import tabulate

    click.echo(tabulate(rows, header, disable_numparse=True))


@command.command("models")
def models() -> None:
    """List the model zoo."""
    from energysim.graph.shapes import text
    from energysim.zoo import load_model, model_names

    rows = []
    for name in model_names():
        graph = load_model(name)
        shape = text(graph.tensors[graph.inputs[0]].shape[1:])
        rows.append([name, shape, f"{graph.parameter_count():,}", str(len(graph))])
    _print(rows, ["model", "input", "parameters", "nodes"])


@command.command("hardware")
def hardware() -> None:
    """List hardware specifications."""
    from energysim.hardware import hardware_names, load_hardware

    specs = [load_hardware(name) for name in hardware_names()]
    _print([[s.name, s.cost_model, s.description] for s in specs], ["hardware", "cost model", "description"])


@command.command("dram")
def dram() -> None:
    """List DRAM devices that hardware can name."""
    from energysim.hardware.dram_files import device_names, load_device

    rows, caveats = [], []
    for name in device_names():
        device = load_device(name)
        numbers = (
            device.activate_pj,
            device.read_pj,
            device.write_pj,
            device.read_pj / device.burst_bits,
            (device.activate_pj + device.read_pj) / device.burst_bits,
            device.vdd * device.idd3n,
        )
        rows.append([device.name, device.description, *(f"{float(number):.4g}" for number in numbers)])
        caveats += [f"{device.name}: {device.caveat}"] if device.caveat else []
    energies = ["activate pJ", "read burst pJ", "write burst pJ", "open row pJ/bit", "new row pJ/bit"]
    _print(rows, ["device", "description", *energies, "standby mW"])
    click.echo(
        "\npJ/bit of a read burst from an open row, and from one that it opens; core without interface"
    )
    for caveat in caveats:
        click.echo(f"caveat of {caveat}")


@command.command("schemes")
def schemes() -> None:
    """List schemes, built in and from plug-ins."""
    from textwrap import fill

    from energysim.schemes import SCHEMES, kind_of, parameters_of

    rows = []
    for info in SCHEMES.list():
        kind = kind_of(info.name)
        takes = " ".join(f"{key}={value}" for key, value in parameters_of(info.name).items())
        cells = (kind.summary, takes, " ".join(kind.family))
        folded = [fill(text, 42, break_long_words=False, break_on_hyphens=False) for text in cells]
        rows.append([info.name, *folded, info.origin, info.version])
    _print(rows, ["scheme", "description", "parameters", "of --sparsity all", "origin", "version"])


@command.command("formats")
def formats() -> None:
    """List storage formats, built in and from plug-ins."""
    from energysim.formats import FORMATS

    rows = [[i.name, (FORMATS.get(i.name).__doc__ or "").splitlines()[0], i.origin] for i in FORMATS.list()]
    _print(rows, ["format", "description", "origin"])


@command.command("cost-models")
def cost_models() -> None:
    """List cost models, built in and from plug-ins."""
    from energysim.cost import COST_MODELS

    rows = [[info.name, COST_MODELS.get(info.name).description, info.origin] for info in COST_MODELS.list()]
    _print(rows, ["cost model", "description", "origin"])


@command.command("rules")
def rules() -> None:
    """List counting rules; the first value is the default."""
    from energysim.mapping import PRESETS, RULE_VALUES
    from energysim.mapping.hierarchy.rules import HIERARCHY_RULES

    own = {name: (f"hierarchy: {meaning}", values) for name, (meaning, values) in HIERARCHY_RULES.items()}
    rows = [
        [name, value, f"{meaning}: {text}"]
        for name, (meaning, values) in {**RULE_VALUES, **own}.items()
        for value, text in values.items()
    ]
    _print(rows, ["rule", "value", "meaning"])
    for name, preset in PRESETS.items():
        click.echo(f"\n{name}: {preset}")
