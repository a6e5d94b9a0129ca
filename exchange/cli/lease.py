"""`exchange lease`: `show` tells which node holds the shard, `move` lets another one take it now."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from exchange.settings import load_settings
from exchange.wiring.nodes import lease_now, moved_lease

app = typer.Typer(no_args_is_help=True, help="Which of many nodes holds the shard.")

Config = Annotated[Path | None, typer.Option(help="TOML file with settings.")]


@app.callback()
def lease() -> None:
    """Look at the lease of a shard, or let another node take it."""


@app.command()
def show(
    config: Config = None,
    *,
    as_json: Annotated[bool, typer.Option("--json", help="For scripts.")] = False,
) -> None:
    """Print who holds the shard, in which term, and for how long it is certain. Exit 1 where nobody does."""
    found = lease_now(load_settings(config))
    held = found.left_s > 0 and bool(found.holder)
    told = {
        "term": found.term,
        "holder": found.holder if held else "",
        "seconds_left": max(0.0, found.left_s),
    }
    if as_json:
        typer.echo(json.dumps(told))
    elif held:
        typer.echo(
            f"{found.holder} holds the shard in term {found.term}, for {found.left_s:.1f} s at the least"
        )
    else:
        typer.echo(f"nobody holds the shard; the last term was {found.term}")
    raise typer.Exit(0 if held else 1)


@app.command()
def move(config: Config = None) -> None:
    """End the lease now: another node takes it. What is under way is answered, here or there."""
    before = moved_lease(load_settings(config))
    typer.echo(
        f"{before.holder or 'nobody'} held the shard; whoever is quickest takes term {before.term + 1}"
    )
