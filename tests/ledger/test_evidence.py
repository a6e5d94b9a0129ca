"""What witnesses hold against a log is kept once each, and no more of it than fits: in files and in rows."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from exchange.databases.place import InPostgres
from exchange.ledger.checkpoints import CheckpointStore
from exchange.ledger.evidence import PER_KIND_MAX, Conflict, EvidenceFolder, SharedEvidence
from tests.ledger.builders import NOON, ORIGIN

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from exchange.ledger.evidence import Evidence
    from tests.postgres.server import PostgresServer

FORK = Conflict("fork", "two of one size", ORIGIN, b"held\n\nline 1\n", b"shown\n\nline 1\n")


@pytest.fixture(params=["files", "rows of a file", "rows of a server"])
def evidence(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Evidence]:
    if request.param == "files":
        yield EvidenceFolder(tmp_path / "evidence")
        return
    server: PostgresServer | None = None
    if request.param == "rows of a server":
        server = request.getfixturevalue("postgres")
    place = InPostgres(server.schema()) if server is not None else tmp_path / "checkpoints.db"
    with closing(CheckpointStore(place)) as checkpoints:
        yield SharedEvidence(checkpoints)


def test_a_pair_is_kept_once_whoever_shows_it_and_a_hundred_of_a_kind(evidence: Evidence) -> None:
    assert evidence.names() == []
    assert evidence.keep(FORK, NOON)
    # The same texts under other signatures are the same pair.
    assert evidence.keep(replace(FORK, held=b"held\n\nline 2\n"), NOON)
    assert len(evidence.names()) == 1
    for number in range(PER_KIND_MAX):
        kept = evidence.keep(replace(FORK, shown=b"shown %d\n\n" % number), NOON)
        assert kept is (number < PER_KIND_MAX - 1)
    assert evidence.keep(FORK, NOON)
    assert evidence.keep(replace(FORK, kind="rollback"), NOON)
    assert evidence.keep(replace(FORK, origin="another.example/log"), NOON)
    names = evidence.names()
    assert (len(names), names) == (PER_KIND_MAX + 2, sorted(names))
    assert [name.partition("-")[0] for name in names if not name.startswith("fork-")] == ["rollback"]
