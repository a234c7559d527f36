"""``energysim schema``."""

from __future__ import annotations

import json

import click

__all__ = ["command"]


@click.command("schema")
@click.argument("what", type=click.Choice(["hardware", "activations"]))
def command(what: str) -> None:
    """Print the JSON schema of a data file, for editors."""
    if what == "activations":
        from energysim.densities import activations_schema as schema
    else:
        from energysim.hardware import hardware_schema as schema

    click.echo(json.dumps(schema(), indent=2))
