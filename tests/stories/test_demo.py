"""`exchange demo --json`: what it promises to print, and whether what it shows is so.

Source: the commands that are a promise; C2SP tlog-proof v1; iWmo 3.2; Wet SUWI 62.
"""

from __future__ import annotations

import fcntl
import json
import random
import subprocess
import sys
import time
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from lxml import etree
from typer.testing import CliRunner

from adapters.sdk.bsn import passes_eleven_proof
from adapters.sdk.proofs import ProofRefused, verify_checkpoint, verify_receipt
from adapters.simulators.suwinet.people import SERVICES
from exchange.cli.audit import app as audit
from exchange.errors import DataFolderInUse
from exchange.wiring.holding import held
from tests.e2e.service import REPOSITORY, environment, exchange
from tests.stories.conftest import DEMO_MAX_S

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.stories.conftest import Demo

# Whoever comes first runs the whole demo, and the others wait for it.
pytestmark = pytest.mark.timeout(DEMO_MAX_S + 60)
PROMISED = {
    "ok": bool,
    "data": str,
    "origin": str,
    "size": int,
    "checkpoint": str,
    "log_vkey": str,
    "log_vkey_mldsa": str,
    "policy": str,
    "pack": str,
    "receipts": list,
    "tiles": str,
    "bsns": list,
    "steps": list,
    "elapsed_s": float,
}
PROCESSOR_S_MAX = 60
SERVICE_MB_MAX = 250
PLACES = 25
YEARS_MIN = 3  # in which three years less two months lie, where they began in January or February
WAIT_MAX_S = 30.0
LOOK_EVERY_S = 0.05
MESSAGES = ("301", "302", "305", "306", "307", "308", "315", "316", "319", "320", "323", "325")
ANSWERS = {"302", "306", "308", "316", "320", "325"}
ADAPTERS = ("municipality", "municipality/cases", "municipality/work_income", "provider")
STEPS = {
    "provider-joins": ("PERMIT", set()),
    "report-opens-nothing": ("DENY", {"R03"}),
    "signal-stays": ("DENY", {"R07", "R09"}),
    "one-lens-is-not-enough": ("REFUSED", {"RULE_BROKEN"}),
    "agreed": ("PERMIT", set()),
    "invited": ("PERMIT", set()),
    "wmo301": ("PERMIT", set()),
    "snooper": ("DENY", {"R03"}),
    "money": ("PERMIT", set()),
    "ladder": ("PERMIT", set()),
    "evaluation": ("PERMIT", set()),
    "mirror": ("TOLD", set()),
    "as-of": ("PERMIT", set()),
    "difference": ("PERMIT", set()),
    "rectified": ("PERMIT", set()),
    "provider-corrects": ("PERMIT", set()),
    "as-it-was": ("PERMIT", set()),
    "request-done": ("PERMIT", set()),
    "statement": ("PERMIT", set()),
    "portable": ("PERMIT", set()),
    "suwinet-other-law": ("DENY", {"R06"}),
    "suwinet-benefit": ("PERMIT", set()),
    "suwinet-trajectory": ("PERMIT", set()),
    "with-consent": ("PARTIAL", {"R09"}),
    "set-apart": ("PERMIT", set()),
    "after-withdrawal": ("DENY", {"R09", "R19"}),
    "set-apart-fetched": ("TOLD", set()),
    "break-glass-refused": ("DENY", {"R28"}),
    "break-glass": ("PERMIT_BREAK_GLASS", {"P-AVG-6.1.d"}),
    "review": ("PERMIT", set()),
    "notice": ("PERMIT", set()),
    "case-becomes-plan": ("PERMIT", set()),
    "persons-asked-little": ("PERMIT", set()),
    "case-closes": ("PERMIT", set()),
    "wmo323": ("PERMIT", set()),
    "wmo315": ("PERMIT", set()),
    "move-yes": ("PERMIT", set()),
    "moved": ("PERMIT", set()),
    "came-along": ("PERMIT", set()),
    "moved-away": ("DENY", {"R03"}),
    "objection-pending": ("DENY", {"R24"}),
    "objection-upheld": ("DENY", {"R25"}),
    "yes-by-phone": ("DENY", {"R09", "R25"}),
    "yes-at-the-portal": ("PARTIAL", {"R09"}),
    "mandate-ended": ("REFUSED", {"CALLER_UNKNOWN"}),
    "of-nobody": ("REFUSED", {"CALLER_UNKNOWN"}),
    "seal-alone": ("REFUSED", {"RULE_BROKEN"}),
    "sealed": ("PERMIT", {"P-PW-7"}),
    "parent": ("PERMIT", set()),
    "no-parent": ("DENY", {"R21"}),
    "names-by-two": ("PERMIT", set()),
    "taken-along": ("PERMIT", set()),
    "to-requester": ("TOLD", {"R25"}),
    "to-resident": ("TOLD", {"R25"}),
    "to-officer": ("TOLD", {"R25"}),
    "replay": ("VERIFIED", set()),
    "preview": ("TOLD", set()),
    "table-again": ("TOLD", set()),
    "too-dear": ("REFUSED", {"BUDGET_EXHAUSTED"}),
    "receipts": ("VERIFIED", set()),
    "pack-verified": ("VERIFIED", set()),
    "both-keys": ("VERIFIED", set()),
    "years-household": ("PERMIT", set()),
    "years-director": ("PERMIT", set()),
    "years-outsider": ("REFUSED", {"REQUEST_INVALID"}),
    "years-goal-of-two": ("PERMIT", set()),
    "years-lapsed": ("DENY", {"R18"}),
    "years-apart": ("PERMIT", set()),
    "years-fourteen": ("PERMIT", set()),
    "years-yes-ended": ("DENY", {"R18"}),
    "years-away": ("PERMIT", set()),
    "years-sixteen": ("DENY", {"R21"}),
    "years-no-duty": ("DENY", {"R10"}),
    "years-neighbours": ("PERMIT", set()),
    "years-difference": ("PERMIT", set()),
    "years-logs": ("VERIFIED", set()),
}


def wait_until(so: Callable[[], bool]) -> None:
    """Return once it is so."""
    until = time.monotonic() + WAIT_MAX_S
    while not so():
        assert time.monotonic() < until
        time.sleep(LOOK_EVERY_S)


def is_held(data: Path) -> bool:
    """Tell whether a service runs on a data folder."""
    try:
        with held(data):
            return False
    except DataFolderInUse:
        return True


def is_at_work(state: Path) -> bool:
    """Tell whether an adapter runs on a state folder."""
    with (state / "lock").open("a", encoding="ascii") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def verify(*words: str | Path) -> tuple[int, dict[str, Any]]:
    """Run `exchange audit verify` in this process; return its exit code and report."""
    done = CliRunner().invoke(audit, ["verify", *map(str, words), "-o", "json"])
    return done.exit_code, json.loads(done.stdout)


def test_it_prints_what_it_promises_and_is_good(demo: Demo) -> None:
    assert demo.exit == 0, demo.errors
    told = demo.told
    assert {name: type(told.get(name)) for name in PROMISED} == PROMISED
    assert told["ok"] is True
    assert Path(told["data"]) == demo.data
    assert told["size"] > 50
    for name in ("checkpoint", "policy", "pack"):
        assert Path(told[name]).is_file(), name
    assert Path(told["tiles"]).is_dir()
    assert told["receipts"]
    assert told["bsns"]
    assert all(passes_eleven_proof(bsn) for bsn in told["bsns"])


def test_it_is_quick_and_the_service_is_small(demo: Demo) -> None:
    # Of the processor, not of the clock, which tells of the neighbours too.
    assert 0 < demo.processor_s < PROCESSOR_S_MAX
    assert demo.told["elapsed_s"] > 0
    assert 10 < demo.told["service_rss_mb"] < SERVICE_MB_MAX


def test_the_story_ends_as_told(demo: Demo) -> None:
    steps = {step["name"]: step for step in demo.told["steps"]}
    assert all(set(step) == {"name", "outcome", "rules"} for step in demo.told["steps"])
    assert {name: (steps[name]["outcome"], set(steps[name]["rules"])) for name in STEPS} == STEPS


def test_no_bsn_is_outside_the_adapters_folders(demo: Demo) -> None:
    files = demo.outside
    assert {"events.db", "keys.db", "exchange.log", "pack.zip", "checkpoint"} <= {file.name for file in files}
    assert {"exchange", "household", "neighbour", "country"} <= {
        file.relative_to(demo.data).parts[0] for file in files
    }
    for bsn in demo.told["bsns"]:
        forms = {form: bsn.encode(form) for form in ("ascii", "utf-16-le", "utf-16-be", "utf-32-le")}
        found = [
            f"{file.relative_to(demo.data)} ({form})"
            for file in files
            for form, raw in forms.items()
            if raw in file.read_bytes() or bsn in str(file.relative_to(demo.data))
        ]
        assert found == []
    # And it would be found: the municipality's own system holds it.
    mine = [file for file in (demo.data / "adapters").rglob("*.xml") if file.is_file()]
    assert any(demo.told["bsns"][0].encode() in file.read_bytes() for file in mine)


def test_no_bsn_is_in_what_an_adapter_logs_or_a_counterparty_wrote_down(demo: Demo) -> None:
    files = [file for kind in ("*.log", "*.jsonl") for file in (demo.data / "adapters").rglob(kind)]
    assert {"adapter.log", "asked.jsonl", "case_system.log", "suwinet.log"} <= {file.name for file in files}
    for bsn in demo.told["bsns"]:
        assert [file for file in files if bsn in file.read_text(encoding="utf-8")] == []


def test_suwinet_was_asked_for_work_and_income_alone_and_persons_for_two_fields(demo: Demo) -> None:
    adapters = demo.data / "adapters"
    asked = [json.loads(line) for line in (adapters / "suwinet" / "asked.jsonl").read_text().splitlines()]
    assert [one["ended"] for one in asked] == ["answered"] * 4
    assert sorted(one["service"] for one in asked) == sorted(SERVICES)
    (reason,) = (adapters / "municipality" / "work_income" / "rejected").iterdir()
    assert "R06" in reason.read_text(encoding="utf-8")
    lines = (adapters / "case_system" / "asked.jsonl").read_text().splitlines()
    fields = {tuple(told["fields"]) for told in map(json.loads, lines) if "fields" in told}
    assert fields == {("geboorte.datum", "indicatieCurateleRegister")}


def test_the_pack_is_good_for_whoever_has_the_policy(demo: Demo, tmp_path: Path) -> None:
    code, report = verify(demo.told["pack"], "--policy", demo.told["policy"])
    assert (code, report["ok"], report["size"]) == (0, True, demo.told["size"])
    # And as a command of its own, first as it is, then changed.
    policy = ["--policy", demo.told["policy"]]
    assert exchange("audit", "verify", demo.told["pack"], *policy).returncode == 0
    changed = bytearray(Path(demo.told["pack"]).read_bytes())
    changed[len(changed) // 2] ^= 1
    (tmp_path / "pack.zip").write_bytes(changed)
    told = exchange("audit", "verify", str(tmp_path / "pack.zip"), *policy)
    assert told.returncode == 1
    assert told.stdout.strip()


def test_one_changed_byte_anywhere_is_found_and_its_place_named(demo: Demo, tmp_path: Path) -> None:
    pack = Path(demo.told["pack"]).read_bytes()
    changed = tmp_path / "pack.zip"
    chance = random.Random()  # noqa: S311 -- places, not secrets; other ones each time
    places = [0, len(pack) - 1, *(chance.randrange(len(pack)) for _ in range(PLACES))]
    for place in places:
        altered = bytearray(pack)
        altered[place] ^= chance.randrange(1, 256)
        changed.write_bytes(altered)
        code, report = verify(changed, "--policy", demo.told["policy"])
        assert (code, report["ok"]) == (1, False), f"byte {place} became {altered[place]}"
        assert report["problems"], place
        assert all(problem["place"] and problem["what"] for problem in report["problems"]), place


@pytest.mark.parametrize("change", [lambda raw: raw[:-1], lambda raw: raw + b"\0", lambda _: b""])
def test_a_pack_that_is_shorter_or_longer_is_not_good(demo: Demo, tmp_path: Path, change: Any) -> None:  # noqa: ANN401 -- bytes to bytes
    changed = tmp_path / "pack.zip"
    changed.write_bytes(change(Path(demo.told["pack"]).read_bytes()))
    code, report = verify(changed, "--policy", demo.told["policy"])
    assert (code, report["ok"]) == (1, False)


def test_each_year_has_a_log_that_begins_where_the_one_before_ended(demo: Demo) -> None:
    packs = sorted(demo.data.glob("household-2*.zip"))
    years = [int(pack.stem.removeprefix("household-")) for pack in packs]
    assert years == list(range(years[0], years[-1] + 1))
    assert len(years) >= YEARS_MIN
    policy = demo.data / "household-policy"
    for former, pack in pairwise(packs):
        code, report = verify(pack, "--policy", policy, "--follows", former)
        assert (code, report["ok"]) == (0, True)
    code, report = verify(packs[-1], "--policy", policy, "--follows", packs[0])
    assert (code, report["ok"]) == (1, False)


def test_every_receipt_verifies_with_the_sdk_and_no_other_key(demo: Demo) -> None:
    vkey = demo.told["log_vkey"]
    checkpoint = verify_checkpoint(Path(demo.told["checkpoint"]).read_text(encoding="utf-8"), vkey)
    assert (checkpoint.origin, checkpoint.size) == (demo.told["origin"], demo.told["size"])
    for name in demo.told["receipts"]:
        proof = Path(name).read_text(encoding="utf-8")
        index = verify_receipt(None, proof, vkey)
        assert 0 <= index < demo.told["size"]
        with pytest.raises(ProofRefused):
            verify_receipt(b"{}", proof, vkey)


@pytest.mark.parametrize("number", MESSAGES)
def test_every_message_of_the_story_is_valid_by_the_official_schema(
    demo: Demo, standards_dir: Path, number: str
) -> None:
    files = sorted((demo.data / "adapters").rglob(f"archive/WMO{number}*.xml"))
    assert files, f"no WMO{number} travelled"
    # Of the answers only a derived schema exists.
    folder = "xsd-retour-afgeleid" if number in ANSWERS else "xsd"
    schema = etree.XMLSchema(etree.parse(standards_dir / "iwmo-3.2" / folder / f"WMO{number}.xsd"))
    for file in files:
        schema.assertValid(etree.parse(file))


def test_nothing_was_rejected_and_nothing_waits(demo: Demo) -> None:
    for side in ("municipality", "provider"):
        folder = demo.data / "adapters" / side
        assert [file.name for name in ("inbox", "rejected") for file in (folder / name).iterdir()] == []
    assert [*(demo.data / "adapters" / "municipality" / "work_income" / "inbox").iterdir()] == []
    assert [*(demo.data / "adapters" / "municipality" / "cases").glob("rejected/*")] == []


def test_no_adapter_outlives_the_story(demo: Demo) -> None:
    assert [one for one in ADAPTERS if is_at_work(demo.data / "adapters" / one / "state")] == []


def test_who_looks_at_the_first_lines_only_gets_no_traceback(tmp_path: Path) -> None:
    words = [sys.executable, "-m", "exchange", "demo", "--data", str(tmp_path / "data")]
    with subprocess.Popen(  # noqa: S603 -- our own program
        words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=REPOSITORY, env=environment()
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.readline()
        process.stdout.close()
        errors = process.stderr.read()
    assert errors == b""
    assert not (tmp_path / "data" / "exchange" / "service.json").exists()


@pytest.mark.slow
def test_neither_service_nor_adapter_outlives_a_demo_that_is_killed(tmp_path: Path) -> None:
    ready = tmp_path / "data" / "exchange" / "service.json"
    adapter = tmp_path / "data" / "adapters" / "municipality" / "cases" / "state"
    words = [sys.executable, "-m", "exchange", "demo", "--data", str(tmp_path / "data")]
    process = subprocess.Popen(  # noqa: S603 -- our own program
        words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=REPOSITORY, env=environment()
    )
    wait_until((adapter / "lock").exists)
    assert is_held(ready.parent)
    wait_until(lambda: is_at_work(adapter))
    process.kill()
    process.wait()
    wait_until(lambda: not ready.exists())
    wait_until(lambda: not is_held(ready.parent))
    wait_until(lambda: not is_at_work(adapter))
