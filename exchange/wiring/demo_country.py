"""A second municipality beside the demo's first: an exchange of its own, and a front before both.

Promises: made while the story is told, so that the story waits for nothing; each exchange has its own keys,
log and folder; the second is added to the shard map by `exchange shards add`; all of it ends with the block.
Source: exchange/decisions/0123-a-front-opens-nothing.md, 0124-a-shard-map-only-grows.md.
"""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from exchange.errors import ExchangeError, Unavailable
from exchange.settings import ENV_PREFIX, throw_away_settings
from exchange.wiring.core import development_authority, utc_now
from exchange.wiring.demo_processes import child_service, environment_of_ours, hand_over, serve_command
from exchange.wiring.renewing import door_files
from exchange.wiring.service import OPERATOR_FOLDER, READY_FILE
from exchange.wiring.shards import add_shard

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from exchange.settings import Settings

NEIGHBOUR_OIN: Final = "00000001002220647000"
NEIGHBOUR_NAME: Final = "Buurgemeente"
FIRST: Final = ("9998", "voorbeeldstad", "voorbeeldstad.exchange.example")
SECOND: Final = ("9997", "buurgemeente", "buurgemeente.exchange.example")
LOOPBACK: Final = ("localhost", "127.0.0.1", "::1")
COMMAND_WAIT_S: Final = 60.0


@dataclass(frozen=True, slots=True)
class Country:
    """Where it all lies: the file that says where the front is once it stands, and what each is known by."""

    data: Path
    first: Settings

    @property
    def told(self) -> Path:
        """The file the story reads."""
        return self.data / "country" / "country.json"

    @property
    def shard_map(self) -> Path:
        """The map of both."""
        return self.data / "country" / "shards.toml"

    @property
    def second(self) -> Settings:
        """The settings of the second exchange."""
        data = self.data / "neighbour"
        log_file = data / "exchange.log"
        named = {"operator_oin": NEIGHBOUR_OIN, "operator_name": NEIGHBOUR_NAME}
        return throw_away_settings(data=data, port=0, metrics_port=0, log_file=log_file, **named)


def name_the_door(settings: Settings, server_name: str) -> None:
    """Give a door that was not opened yet a certificate for the name that callers by a front use too."""
    folder = door_files(settings)[0].parent
    development_authority(settings).issue_server(folder, (*LOOPBACK, server_name))


@contextmanager
def two_municipalities(country: Country, first: dict[str, Any]) -> Iterator[None]:
    """Make the second one and the front until the block ends; `first` is what the first says of itself."""
    ends, trouble = threading.Event(), list[ExchangeError]()

    def stand() -> None:
        try:
            _stand(country, first, ends)
        except ExchangeError as error:
            trouble.append(error)

    thread = threading.Thread(target=stand, name="country")
    thread.start()
    try:
        yield
    finally:
        ends.set()
        thread.join()
    if trouble:
        raise trouble[0]


def _stand(country: Country, first: dict[str, Any], ends: threading.Event) -> None:
    second, folder = country.second, country.told.parent
    folder.mkdir(parents=True, exist_ok=True)
    name_the_door(second, SECOND[2])
    own = {f"{ENV_PREFIX}{name.upper()}": getattr(second, name) for name in ("operator_oin", "operator_name")}
    with child_service(serve_command(second), second.data, own) as (_, ready):
        hand_over(second, country.data / "adapters" / "neighbour" / "own")
        if ends.is_set():
            # The story stopped early: nobody moves anywhere.
            return
        _begin(country, first)
        _add(country, ready)
        words = ["--map", str(country.shard_map), "--port", "0", "--metrics-port", "0"]
        words += ["--log-file", str(folder / "front.log"), "--ready-file", str(folder / READY_FILE)]
        # A front has no leash of its own.
        leashed = ["adapters.simulators.leash", "exchange", "front", *words, "--drain-s", "1"]
        with child_service(leashed, folder) as (_, front):
            told = {
                "front": front["target"],
                "first": FIRST[2],
                "second": SECOND[2],
                "second_log_vkey": ready["log_vkey"],
            }
            partial = country.told.with_suffix(".partial")
            partial.write_text(json.dumps(told), encoding="utf-8")
            partial.replace(country.told)
            ends.wait()


def _begin(country: Country, ready: dict[str, Any]) -> None:
    """Begin a map with the first municipality."""
    code, name, server_name = FIRST
    told = {
        "municipality": code,
        "name": name,
        "server_names": [server_name],
        "doors": [ready["target"]],
        "log_key": ready["log_vkey"],
        "valid_from": utc_now().replace(microsecond=0),
    }
    add_shard(country.shard_map, told, country.first.data / OPERATOR_FOLDER)


def _add(country: Country, ready: dict[str, Any]) -> None:
    """Add the second one, as its operator does."""
    code, name, server_name = SECOND
    words = ["--map", str(country.shard_map), "--credentials", str(country.second.data / OPERATOR_FOLDER)]
    words += ["--municipality", code, "--name", name, "--server-name", server_name]
    words += ["--door", ready["target"], "--log-key", ready["log_vkey"]]
    done = subprocess.run(  # noqa: S603 -- our own program, fixed words
        [sys.executable, "-m", "exchange", "shards", "add", *words],
        check=False,
        capture_output=True,
        env=environment_of_ours(),
        timeout=COMMAND_WAIT_S,
    )
    if done.returncode:
        raise Unavailable("a municipality could not be added to the shard map")
