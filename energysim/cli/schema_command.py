"""``energysim schema``."""

from __future__ import annotations

import json

import click

__all__ = ["command"]


@click.command("schema")
@click.argument("what", type=click.Choice(["hardware"]))
def command(what: str) -> None:
    """Print the JSON schema of a data file, for editors."""
    from energysim.hardware import hardware_schema

    click.echo(json.dumps(hardware_schema(), indent=2))
