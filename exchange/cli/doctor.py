"""`exchange doctor`: a light for each part, and what to do where it is red."""

from __future__ import annotations

from pathlib import Path  # noqa: TC003 -- typer reads the annotations when it builds the command
from typing import Annotated

import typer

from exchange.settings import load_settings
from exchange.wiring.doctor import examine


def doctor(
    config: Annotated[Path | None, typer.Option(help="TOML file with settings.")] = None,
    data: Annotated[Path | None, typer.Option(help="Folder of the service.")] = None,
) -> None:
    """Examine a shard without starting it; exit 1 where a light is red."""
    lights = list(examine(load_settings(config, data=data)))
    for light in lights:
        colour = "RED  " if not light.ok else "amber" if light.beware else "green"
        typer.echo(f"{colour}  {light.part:13} {light.says}")
    raise typer.Exit(0 if all(light.ok for light in lights) else 1)
