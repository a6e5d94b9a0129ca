"""`exchange keys`: a KEK made and replaced, and new versions of the keys of residents.

Promises: prints ids and counts, no key, no PIN and nothing of a resident.
Source: the design of the ledger, section 5.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from exchange.errors import SettingsInvalid
from exchange.settings import load_settings
from exchange.wiring import ledger, rekeying

kek = typer.Typer(no_args_is_help=True, help="The key that encrypts keys.")

_Config = Annotated[Path | None, typer.Option(help="TOML file with settings.")]
_Data = Annotated[Path | None, typer.Option(help="Folder of the service.")]
_StandsStill = Annotated[Path | None, typer.Option(help="Folder of the service, which stands still.")]


@kek.callback()
def about_kek() -> None:
    """Make the KEK, and tell where it stands."""


@kek.command()
def create(config: _Config = None, data: _Data = None) -> None:
    """Make the KEK that settings name: in the token, where it stays, or in a file."""
    made = rekeying.create_kek(load_settings(config, data=data))
    typer.echo(f"KEK {made.key_id} made, {made.kind}. Back it up before the first resident.")


@kek.command("show")
def shown(
    *,
    as_json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False,
    config: _Config = None,
    data: _Data = None,
) -> None:
    """Print which KEK is in force and how many keys each wraps; exit 1 while a former one is needed."""
    stands = rekeying.kek_standing(load_settings(config, data=data))
    if as_json:
        typer.echo(json.dumps({"kek": stands.key_id, "kept": stands.kind, "wrapped": stands.wrapped}))
    else:
        typer.echo(f"{stands.key_id}  {stands.wrapped.get(stands.key_id, 0)} keys and secrets, {stands.kind}")
        for key_id, count in stands.former.items():
            typer.echo(f"{key_id}  {count} keys and secrets, a former KEK: exchange keys rotate-kek")
    raise typer.Exit(1 if stands.former else 0)


def make_log_key(config: _Config = None, data: _Data = None) -> None:
    """Have the token make the key that signs the log, before the first start."""
    public = ledger.make_log_key(load_settings(config, data=data))
    typer.echo(f"The log's key is made, in hardware: {public}. Clone the token before the first start.")


def rotate_kek(
    former: Annotated[
        Path | None, typer.Option("--from", help="TOML file that names the KEK until now.")
    ] = None,
    config: _Config = None,
    data: _StandsStill = None,
) -> None:
    """Wrap every key anew under the KEK that settings name; ended in the middle, do it again."""
    settings = load_settings(config, data=data)
    done = rekeying.rotate_kek(settings, load_settings(former, data=data) if former else None)
    typer.echo(f"{done.count} keys and secrets wrapped anew under KEK {done.key_id}.")
    for key_id in done.freed:
        typer.echo(
            f"KEK {key_id} wraps nothing here any more. Backups of keys from before still need it: destroy it"
            " when the last of them has ended."
        )


def rotate(
    *,
    category: Annotated[str, typer.Option(help="A data category, such as WONEN.")] = "",
    every: Annotated[bool, typer.Option("--all", help="Every category.")] = False,
    config: _Config = None,
    data: _StandsStill = None,
) -> None:
    """Give every resident a new key version for what is written from now on; former ones still open."""
    if bool(category) == every:
        raise SettingsInvalid("name a category, or say --all", name="category")
    made = rekeying.rotate_keys(load_settings(config, data=data), category or None)
    typer.echo(f"{made} new key versions; what was sealed stays under the version it names.")


def under(keys: typer.Typer) -> None:
    """Hang these commands below the noun `keys`."""
    keys.add_typer(kek, name="kek")
    keys.command("make-log-key")(make_log_key)
    keys.command("rotate-kek")(rotate_kek)
    keys.command("rotate")(rotate)
