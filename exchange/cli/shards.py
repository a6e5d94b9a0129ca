"""`exchange shards`: the map of shards; show it, hold it against what answers, add a shard to it."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from exchange.errors import SettingsInvalid
from exchange.wiring.core import utc_now
from exchange.wiring.shards import add_shard, databases_apart, looked_at, read_caller, read_map, shown_shard

app = typer.Typer(no_args_is_help=True, help="The map of shards: one municipality, one shard.")

_Map = Annotated[Path, typer.Option("--map", help="File with the shard map.", dir_okay=False)]
_Json = Annotated[bool, typer.Option("--json", help="For scripts.")]
_Credentials = Annotated[
    Path,
    typer.Option(
        help="Folder with ca.pem, client.pem and client.key; one in it, named by a code, goes first.",
        file_okay=False,
    ),
]


@app.command()
def show(shard_map: _Map, *, as_json: _Json = False) -> None:
    """Print the map, once it is right: nothing is asked of any shard."""
    found = read_map(shard_map)
    if as_json:
        typer.echo(json.dumps({"serial": found.serial, "shards": [shown_shard(one) for one in found.shards]}))
        return
    typer.echo(f"serial {found.serial}, {len(found.shards)} shards")
    for one in found.shards:
        at = f"{', '.join(one.server_names)} at {', '.join(one.doors)}"
        typer.echo(f"{one.municipality} {one.name}: {at}, from {one.valid_from:%Y-%m-%d %H:%M} UTC")


@app.command()
def check(
    shard_map: _Map,
    credentials: _Credentials,
    *,
    databases: Annotated[
        bool, typer.Option("--databases", help="Also ask each database who it is, by service name.")
    ] = False,
    as_json: _Json = False,
) -> None:
    """Ask every door under every name whether its log is the shard's. Exit 1 where one is not so."""
    found = read_map(shard_map)
    findings = [
        finding
        for shard in found.shards
        for finding in looked_at(shard, read_caller(credentials, shard.municipality))
    ]
    if databases:
        findings += databases_apart(found)
    if as_json:
        typer.echo(json.dumps({"serial": found.serial, "findings": [one._asdict() for one in findings]}))
    else:
        for one in findings:
            typer.echo(f"{one.municipality}  {one.what}  {one.wrong or 'good'}")
    raise typer.Exit(1 if any(one.wrong for one in findings) else 0)


@app.command()
def add(
    shard_map: _Map,
    credentials: _Credentials,
    *,
    municipality: Annotated[str, typer.Option(help="Code of four digits (CBS).")],
    name: Annotated[str, typer.Option(help="Name of the shard.")],
    server_name: Annotated[list[str], typer.Option(help="Name that callers use; may be said again.")],
    door: Annotated[list[str], typer.Option(help="host:port of a node, as fronts reach it; again for each.")],
    log_key: Annotated[
        str, typer.Option(help="The log's verifier key: log_vkey in the node's service.json.")
    ],
    valid_from: Annotated[
        str,
        typer.Option(help="From when fronts pass calls on, such as 2027-01-01T00:00:00Z; now if not said."),
    ] = "",
    database: Annotated[
        list[str] | None, typer.Option(help="SETTING=SERVICE, a service of libpq; again for each database.")
    ] = None,
) -> None:
    """Add a shard, once its doors answer as it is said; print the new serial."""
    told: dict[str, Any] = {
        "municipality": municipality,
        "name": name,
        "server_names": server_name,
        "doors": door,
        "log_key": log_key,
        "valid_from": _moment(valid_from),
    }
    if database:
        told["databases"] = {one.partition("=")[0]: one.partition("=")[2] for one in database}
    found = add_shard(shard_map, told, credentials)
    typer.echo(f"serial {found.serial}, {len(found.shards)} shards: fronts take it within half a minute")


def _moment(text: str) -> datetime:
    if not text:
        return utc_now().replace(microsecond=0)
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        found = datetime.min  # noqa: DTZ901 -- refused below, as one without an offset is
    if found.tzinfo is None:
        raise SettingsInvalid("a moment is written with its offset", name="valid_from")
    return found.astimezone(UTC)
