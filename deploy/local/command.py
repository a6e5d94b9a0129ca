"""`deploy/local/cluster up | status | failover | down`: a cluster on this machine, for trying and for tests.

`up` stays in the foreground and takes everything with it when it ends, however that comes; the others speak
to it from another terminal. Nothing of it is for production: see deploy/README.md.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import tempfile
import threading
import urllib.request
from pathlib import Path
from typing import Any, Final

from deploy.local.cluster import HOST, STATE, Cluster, missing, nodes_most, switch_over
from deploy.local.processes import wait_until

FOLDER: Final = Path(tempfile.gettempdir()) / f"exchange-cluster-{os.getuid()}"
DOWN_WAIT_S: Final = 120.0
ASK_WAIT_S: Final = 3


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def _state(folder: Path) -> dict[str, Any]:
    try:
        told: dict[str, Any] = json.loads((folder / STATE).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise SystemExit(f"no cluster runs below {folder}") from None
    return told


def up(folder: Path, nodes: int) -> int:
    """Start everything and stay."""
    lacks = missing()
    if lacks:
        _say(f"this machine lacks: {lacks}")
        return 2
    if (folder / STATE).exists():
        _say(f"a cluster runs below {folder}, or one was killed there: take the folder away")
        return 2
    ended = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ended.set())
    cluster = Cluster(folder, nodes)
    try:
        cluster.up()
        status(folder)
        ended.wait()
    finally:
        cluster.down()
    return 0


def _found(member: dict[str, Any]) -> dict[str, Any]:
    """Return what a member's Patroni says; nothing where it does not answer."""
    try:
        with urllib.request.urlopen(f"http://{HOST}:{member['rest']}/patroni", timeout=ASK_WAIT_S) as said:
            found: dict[str, Any] = json.load(said)
    except (OSError, ValueError):
        return {}
    return found


def status(folder: Path) -> int:
    """Say who is what."""
    told = _state(folder)
    for name, one in told["members"].items():
        found = _found(one)
        role, line = found.get("role", "away"), found.get("timeline", "-")
        _say(f"{name}  127.0.0.1:{one['port']}  {role}  {found.get('state', '-')}  timeline {line}")
    for name, target in told["nodes"].items():
        _say(f"{name}  {target}")
    _say(f"credentials in {told['credentials']}")
    _say(f"nats   {told['nats']}\netcd   {told['etcd']}")
    _say(f"PGPASSFILE={told['passfile']} psql '{told['postgres']}'")
    return 0


def failover(folder: Path) -> int:
    """Let the standby take the lead, in order."""
    state = _state(folder)
    secret = Path(state["passfile"]).read_text(encoding="utf-8").strip().rpartition(":")[2]
    _say(switch_over(state, secret))
    wait_until(
        lambda: any(_found(one).get("role") == "primary" for one in state["members"].values()),
        DOWN_WAIT_S,
        "a primary",
    )
    return status(folder)


def down(folder: Path) -> int:
    """End the cluster."""
    os.kill(_state(folder)["pid"], signal.SIGTERM)
    wait_until(lambda: not (folder / STATE).exists(), DOWN_WAIT_S, "the end of the cluster")
    return 0


def main() -> int:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="deploy/local/cluster", description=__doc__)
    parser.add_argument("command", choices=("up", "status", "failover", "down"))
    parser.add_argument("--folder", type=Path, default=FOLDER, help="where everything lies")
    most = nodes_most()
    parser.add_argument("--nodes", type=int, default=most, choices=range(1, most + 1), help="how many nodes")
    told = parser.parse_args()
    if told.command == "up":
        return up(told.folder, told.nodes)
    commands = {"status": status, "failover": failover, "down": down}
    return commands[told.command](told.folder)


if __name__ == "__main__":
    sys.exit(main())
