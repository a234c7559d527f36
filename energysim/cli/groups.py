"""A group of commands that offers the nearest name for an unknown one."""

from __future__ import annotations

import click

from energysim.errors import UnknownNameError

__all__ = ["NearGroup"]


class NearGroup(click.Group):
    """A group that says which command was meant."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        names = self.list_commands(ctx)
        if args[0] not in names and not args[0].startswith("-") and not ctx.resilient_parsing:
            kind = " ".join([*ctx.command_path.split()[1:], "command"])
            raise UnknownNameError(kind, args[0], names)
        return super().resolve_command(ctx, args)
