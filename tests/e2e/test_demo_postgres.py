"""`exchange demo` once more with events, keys and checkpoints in PostgreSQL: the same story, to its end."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING

import psycopg
import pytest

from tests.e2e.service import REPOSITORY, environment
from tests.stories.conftest import DEMO_MAX_S
from tests.stories.test_demo import PROMISED, STEPS

if TYPE_CHECKING:
    from pathlib import Path

    from tests.postgres.server import PostgresServer


@pytest.mark.slow
def test_the_whole_story_passes_unchanged_on_postgresql(postgres: PostgresServer, tmp_path: Path) -> None:
    named = {part: postgres.settings() for part in ("plan", "household")}
    tables = [
        f"[{part}]\n" + "".join(f"{name} = {json.dumps(dsn)}\n" for name, dsn in found.items())
        for part, found in named.items()
    ]
    (tmp_path / "databases.toml").write_text("".join(tables))
    data = tmp_path / "data"
    words = ["demo", "--json", "--data", str(data), "--databases", str(tmp_path / "databases.toml")]
    done = subprocess.run(  # noqa: S603 -- our own program
        [sys.executable, "-m", "exchange", *words],
        capture_output=True,
        check=False,
        cwd=REPOSITORY,
        env=environment(),
        text=True,
        timeout=DEMO_MAX_S,
    )
    assert (done.returncode, done.stderr) == (0, "")
    told = json.loads(done.stdout)
    assert told["ok"]
    assert {name for name in PROMISED if name not in told} == set()
    steps = {step["name"]: (step["outcome"], set(step["rules"])) for step in told["steps"]}
    assert {name: steps.get(name) for name in STEPS} == STEPS
    # No event, no key and nothing that was signed lies in a file of the exchanges but what is published.
    # The second municipality, to which somebody moves, keeps files of its own.
    kept = [data / "exchange", data / "household"]
    names = ("events.db", "keys.db", "checkpoints.db")
    assert [file for folder in kept for name in names for file in folder.rglob(name)] == []
    for found in named.values():
        with psycopg.connect(found["keys_postgres"]) as line:
            keys = line.execute("SELECT count(*) FROM data_key").fetchone()
        with psycopg.connect(found["checkpoints_postgres"]) as line:
            signed = line.execute("SELECT count(*) FROM signed WHERE note IS NOT NULL").fetchone()
        assert keys is not None
        assert signed is not None
        assert min(keys[0], signed[0]) > 0
    for bsn in told["bsns"]:
        assert not [
            file
            for file in (data / "exchange").rglob("*")
            if file.is_file() and bsn.encode() in file.read_bytes()
        ]
