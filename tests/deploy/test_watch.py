"""Alerts and dashboard speak of metrics that the service has, and lead to a runbook that is there."""

from __future__ import annotations

import inspect
import json
import re
import shutil
import subprocess
import urllib.request
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from prometheus_client import generate_latest

from exchange.cli.front import front
from exchange.server.beside import CLASSES, WITNESS, Beside
from exchange.server.metrics import Metrics
from exchange.server.party import door as party
from exchange.server.shards.front import ShardFront
from exchange.server.shards.map import ShardMap
from exchange.server.web import witness
from exchange.settings import Settings
from tests.e2e.service import REPOSITORY, Case

if TYPE_CHECKING:
    from pathlib import Path

    from tests.e2e.service import Service

WATCH = REPOSITORY / "deploy" / "watch"
ANSWER_WAIT_S = 60
NODE_EXPORTER = 9100
NAME = re.compile(r"\b(?:exchange_\w+|up)\b")
SAMPLE = re.compile(r"^(\w+)(?:\{| )", re.MULTILINE)


def rules() -> list[dict[str, Any]]:
    told = yaml.safe_load((WATCH / "alerts.yml").read_text(encoding="utf-8"))
    return [rule for group in told["groups"] for rule in group["rules"]]


def panels() -> list[dict[str, Any]]:
    told: dict[str, Any] = json.loads((WATCH / "dashboard.json").read_text(encoding="utf-8"))
    return list(told["panels"])


def asked() -> list[str]:
    """Return every question that is asked of Prometheus."""
    return [rule["expr"] for rule in rules()] + [
        one["expr"] for panel in panels() for one in panel["targets"]
    ]


def anchors(page: Path) -> set[str]:
    heads = re.findall(r"^#+ (.+)$|^\*\*([^*]+?)\.?\*\*", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", one or other).strip().lower().replace(" ", "-") for one, other in heads}


def promtool(*words: str | Path) -> str:
    program = shutil.which("promtool")
    if program is None:
        pytest.skip("promtool is not installed: apt-get install prometheus")
    done = subprocess.run(  # noqa: S603 -- its own words
        [program, *words], capture_output=True, text=True, check=False, cwd=WATCH
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_only_what_the_service_tells_is_asked_for(service: Service) -> None:
    Case(service)
    where = f"http://127.0.0.1:{service.ready['metrics_port']}/metrics"
    with urllib.request.urlopen(where, timeout=ANSWER_WAIT_S) as answer:
        told = set(SAMPLE.findall(answer.read().decode()))
    named = {name for question in asked() for name in NAME.findall(question)}
    assert len(named) > 10
    # Whether the service answered at all is Prometheus's own.
    told_elsewhere = told_by_a_front() | told_of_lines() | told_beside() | told_by_the_backup()
    assert named - told - told_elsewhere == {"up"}
    # What is told and neither watched nor shown would be told for nobody.
    shown = {re.sub(r"_(bucket|count|sum|total|created)$", "", name) for name in named}
    assert {re.sub(r"_(bucket|count|sum|total|created)$", "", name) for name in told} - shown == {
        "exchange_group_walks"  # a mean since the start: the dashboard makes one of the last minute
    }


def told_by_a_front() -> set[str]:
    """Return the names of what a front tells, which is another process."""
    metrics = Metrics()
    metrics.watch_front(ShardFront(ShardMap(1, ()), lambda: datetime.now(UTC)), lambda: False)
    return {sample.name for family in metrics.registry.collect() for sample in family.samples}


def told_beside() -> set[str]:
    """Return the names of what a witness tells, a directory, the second party and a console alone."""
    beside = Beside(WITNESS, ("COSIGNED",))
    beside.watch_cosigned(lambda: 0.0)
    beside.watch_taken(lambda: 0.0)
    beside.watch_certificate(lambda: 0.0)
    registry = beside._metrics.registry
    return {sample.name for family in registry.collect() for sample in family.samples}


def told_by_the_backup() -> set[str]:
    """Return the names of what the script of the backups writes."""
    script = (REPOSITORY / "deploy" / "backup" / "base").read_text(encoding="utf-8")
    return set(re.findall(r"^(exchange_\w+) \$", script, re.MULTILINE))


def test_what_is_asked_of_outcomes_is_an_outcome() -> None:
    known = {*witness.OUTCOMES, *party.OUTCOMES, *CLASSES}
    asked_for = [word for question in asked() for word in re.findall(r'outcome=~?"([^"]+)"', question)]
    assert len(asked_for) > 2
    assert {one for words in asked_for for one in words.split("|")} <= known


def told_of_lines() -> set[str]:
    """Return the names of what a service with lines of its own tells of them; the one here has none."""
    metrics = Metrics()
    metrics.watch_lines({"nodes": 1_800_000_000.0})
    told = generate_latest(metrics.registry).decode()
    assert 'exchange_line_certificate_end_seconds{line="nodes"} 1.8e+09' in told
    return set(SAMPLE.findall(told))


def test_every_alert_leads_to_a_runbook() -> None:
    for rule in rules():
        page, _, anchor = rule["annotations"]["runbook"].partition("#")
        assert anchor in anchors(REPOSITORY / page), rule["alert"]
        assert rule["labels"]["severity"] in {"page", "warn"}


@pytest.mark.slow
def test_prometheus_takes_the_alerts_and_each_has_both_sides_of_its_line() -> None:
    assert f"{len(rules())} rules found" in promtool("check", "rules", "alerts.yml")
    assert "SUCCESS" in promtool("test", "rules", "alerts.test.yml")
    tried = (WATCH / "alerts.test.yml").read_text(encoding="utf-8")
    assert [rule["alert"] for rule in rules() if f"alertname: {rule['alert']}\n" not in tried] == []


def test_each_process_is_asked_where_it_tells() -> None:
    units = REPOSITORY / "deploy" / "systemd"
    beside = {
        f"prometheus-{name}.yml": int(found[1])
        for name in ("witness", "directory", "party", "console")
        if (found := re.search(r"--metrics-port (\d+)", (units / f"exchange-{name}.service").read_text()))
    }
    assert len(beside) == 4
    ports = beside | {
        "prometheus-backup.yml": NODE_EXPORTER,
        "prometheus.yml": Settings.model_fields["metrics_port"].default,
        "prometheus-front.yml": inspect.signature(front).parameters["metrics_port"].default,
    }
    assert len(set(ports.values())) == len(ports)
    for name, port in ports.items():
        (job,) = yaml.safe_load((WATCH / name).read_text(encoding="utf-8"))["scrape_configs"]
        # The alerts ask for this one.
        assert job["job_name"] == "exchange"
        assert job["static_configs"] == [{"targets": [f"127.0.0.1:{port}"]}]


def test_prometheus_takes_its_settings_and_the_questions_of_the_dashboard(tmp_path: Path) -> None:
    for name in [path.name for path in WATCH.glob("prometheus*.yml")]:
        settings = (WATCH / name).read_text(encoding="utf-8")
        (tmp_path / name).write_text(settings, encoding="utf-8")
        promtool("check", "config", "--syntax-only", tmp_path / name)
    questions = [
        one["expr"].replace("$__rate_interval", "5m") for panel in panels() for one in panel["targets"]
    ]
    made = [{"record": f"panel:{number}", "expr": question} for number, question in enumerate(questions)]
    file = tmp_path / "panels.yml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "panels", "rules": made}]}), encoding="utf-8")
    assert f"{len(questions)} rules found" in promtool("check", "rules", file)


def test_the_panels_of_the_dashboard_do_not_lie_over_one_another() -> None:
    told = panels()
    assert len({one["id"] for one in told}) == len(told)
    places = {(one["gridPos"]["x"], one["gridPos"]["y"]) for one in told}
    assert len(places) == len(told)
    assert all(one["title"] and one["targets"] for one in told)
