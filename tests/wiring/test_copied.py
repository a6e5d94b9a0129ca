"""A copy of the events made while the service writes is of one moment, whole, and opens.

Source: deploy/README.md, back up; sqlite.org/lang_vacuum.html (VACUUM INTO).
"""

from __future__ import annotations

import re
import sqlite3
import threading
from contextlib import closing
from pathlib import Path

from exchange.store.reader import SQLiteReader
from exchange.store.verify import verify_store
from exchange.wiring.stores import event_file
from tests.pipeline.shard import Shard

DEPLOY = Path(__file__).parents[2] / "deploy" / "README.md"


def test_the_command_that_is_told_copies_one_moment_beside_a_writer(tmp_path: Path) -> None:
    (told,) = set(re.findall(r"sqlite3 events\.db \"(VACUUM INTO '[^']+')\"", DEPLOY.read_text()))
    shard = Shard(tmp_path / "data")
    copy, written, stop = tmp_path / "copy.db", threading.Event(), threading.Event()
    try:
        _, _, plan_id = shard.plan()

        def write() -> None:
            while not stop.is_set():
                shard.done(shard.goal(plan_id))
                written.set()

        writer = threading.Thread(target=write)
        writer.start()
        assert written.wait(30)
        before = shard.head
        with closing(sqlite3.connect(event_file(shard.settings))) as c:
            c.execute(re.sub(r"'[^']+'", f"'{copy}'", told))
        stop.set()
        writer.join()
        after = shard.head
    finally:
        stop.set()
        shard.close()
    with closing(SQLiteReader(copy)) as reader:
        report = verify_store(reader)
        assert report.problems == []
        assert before <= report.position == report.events == report.leaves <= after
