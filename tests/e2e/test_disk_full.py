"""A full disk under the running service: a clear error, nothing half-written, and on once there is room.

Source: setrlimit(2) (EFBIG past RLIMIT_FSIZE), tmpfs(5) (ENOSPC); sqlite.org/rescode.html.
"""

from __future__ import annotations

import os
import resource
import shutil
import subprocess
from typing import TYPE_CHECKING, Any, Protocol
from uuid import uuid4

import pytest

from adapters.sdk.errors import Unavailable
from adapters.sdk.proofs import verify_receipt
from exchange.store.reader import SQLiteReader
from exchange.store.verify import verify_store
from tests.e2e.service import INVESTIGATE, Case, Service

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

LONG_WORDS = "Het dak lekt al weken. " * 170
REPORTS_MAX = 400
SMALL_DISK = "6m"
NO_LIMIT = resource.RLIM_INFINITY


class Disk(Protocol):
    """A disk that can be filled and emptied under a running service."""

    folder: Path

    def fill(self, data: Path, pid: int) -> None:
        """Leave no room."""

    def empty(self, pid: int) -> None:
        """Make room."""


class Limited:
    """Files of the service cannot grow past the size of its write-ahead log now."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def fill(self, data: Path, pid: int) -> None:
        size = max((data / "events.db-wal").stat().st_size, 64 * 1024)
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (size, NO_LIMIT))

    def empty(self, pid: int) -> None:
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (NO_LIMIT, NO_LIMIT))


class Small:
    """A file system of a few megabytes of its own; another file takes what is left of it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._filler = folder / "filler"

    def fill(self, data: Path, pid: int) -> None:
        assert data.is_relative_to(self.folder), pid
        room = os.statvfs(self.folder)
        with self._filler.open("wb", buffering=0) as filler:
            filler.write(b"\0" * room.f_bavail * room.f_bsize)

    def empty(self, pid: int) -> None:
        assert pid
        self._filler.unlink()


@pytest.fixture(params=["limited files", "small file system"])
def disk(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Disk]:
    if request.param == "limited files":
        if not hasattr(resource, "prlimit"):
            pytest.skip("this system sets no file size limit on another process")
        yield Limited(tmp_path)
        return
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = shutil.which("mount")
    if mount is None or os.geteuid() != 0:
        pytest.skip("mounting a small file system takes root and mount(8)")
    words = [mount, "-t", "tmpfs", "-o", f"size={SMALL_DISK}", "tmpfs", str(folder)]
    if subprocess.run(words, check=False, capture_output=True).returncode:  # noqa: S603 -- mount(8) of the system
        pytest.skip("this system does not let even root mount a file system")
    yield Small(folder)
    subprocess.run([shutil.which("umount") or "umount", str(folder)], check=True)  # noqa: S603 -- as above


@pytest.fixture
def on_disk(disk: Disk) -> Iterator[Service]:
    service = Service(disk.folder / "exchange", integrate_ms="20")
    service.output = disk.folder.parent / "outputs"
    service.start()
    yield service
    service.close()


def report_until_full(case: Case, acknowledged: list[Any]) -> tuple[str, Unavailable]:
    """Send reports until one is refused; return its request id and the refusal."""
    for _ in range(REPORTS_MAX):
        request_id = str(uuid4())
        try:
            acknowledged.append(case.report(LONG_WORDS, request_id=request_id))
        except Unavailable as refused:
            return request_id, refused
    raise AssertionError("the disk never was full")


def read_until_full(case: Case) -> tuple[int, Unavailable]:
    """Read the plan until no decision can be recorded; return how often it was read, and the refusal."""
    for reads in range(REPORTS_MAX):
        try:
            case.wmo.plan.get_plan(claim=INVESTIGATE, plan_id=case.plan_id, fields=["reports.own_words"])
        except Unavailable as refused:
            return reads, refused
    raise AssertionError("the disk never was full")


def assert_store_is_whole(service: Service, least: int) -> int:
    """Every event has its leaf, and as many are there as were acknowledged; return how many."""
    reader = SQLiteReader(service.data / "events.db")
    report = verify_store(reader)
    reader.close()
    assert report.problems == []
    assert report.events == report.leaves == report.position >= least
    return report.position


def test_a_full_disk_is_told_nothing_is_half_written_and_it_goes_on(disk: Disk, on_disk: Service) -> None:
    service = on_disk
    case = Case(service)
    acknowledged = [case.report(LONG_WORDS)]
    assert service.process is not None
    pid = service.process.pid
    disk.fill(service.data, pid)
    request_id, refused = report_until_full(case, acknowledged)
    assert refused.reason == "STORE_FULL"
    assert "Free space" in refused.refusal.remedies[0]
    assert refused.retry_after_s is not None
    assert refused.localized.startswith("De opslag van de dienst is vol")
    position = service.position()
    last = acknowledged[-1].receipt.position
    assert position == last
    # A decision is shorter than a report: what fits is recorded, and then nothing is read any more.
    reads, unread = read_until_full(case)
    assert unread.reason == "STORE_FULL"
    assert service.position() == position + reads
    assert assert_store_is_whole(service, last) == position + reads
    disk.empty(pid)
    done = case.report(LONG_WORDS, request_id=request_id)
    assert done.receipt.position > last
    assert case.report(LONG_WORDS, request_id=request_id) == done
    acknowledged.append(done)
    plan = case.wmo.plan.get_plan(claim=INVESTIGATE, plan_id=case.plan_id, fields=["reports.own_words"]).plan
    assert len(plan.reports) == 1 + len(acknowledged)
    for one in (acknowledged[0], acknowledged[-2], done):
        proof = case.wmo.ledger.get_receipt(leaf_index=one.receipt.leaf_index).tlog_proof
        assert verify_receipt(one.receipt.leaf_entry, proof, service.log_vkey) == one.receipt.leaf_index
    service.hang_up()
    assert service.stop() == 0
    assert_store_is_whole(service, done.receipt.position)
