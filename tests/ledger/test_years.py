"""Two logs of one shard for who checks them: packs, policies, the page, the second verifier, and others'."""

from __future__ import annotations

import json
import zipfile
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from typer.testing import CliRunner

from adapters.sdk.completeness import Completeness, complete_over_years
from adapters.sdk.packs import verify_pack as verify_again
from adapters.sdk.proofs import ProofRefused
from adapters.sdk.trust import QuorumMissing, parse_trust
from exchange.cli.__main__ import app
from exchange.errors import ProofInvalid, SettingsInvalid
from exchange.ledger.checkpoint import parse_policy
from exchange.ledger.merkle import consistency_proof, inclusion_proof
from exchange.ledger.opening import read_opening
from exchange.ledger.verify import follow, verify_pack
from exchange.store.codec import _decode_stored
from tests.ledger.builders import places
from tests.ledger.foreign.verifiers import VERIFIERS, Case
from tests.ledger.test_page import Desk
from tests.pipeline.shard import Shard

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from tests.ledger.browser import Page

JANUARY = datetime(2027, 1, 1, tzinfo=UTC)
RUN = CliRunner()


class Turned:
    """A shard with leaves in two logs, and a pack of each."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.shard = Shard(folder / "data")
        core = self.shard.core
        self.resident, case_id, plan_id = self.shard.plan()
        self.shard.consent(self.resident, case_id)
        for number in range(300):
            moment = JANUARY if number > 150 else JANUARY.replace(year=2026)
            walk = self.shard.registration(f"r-{number}")
            self.shard.run(replace(walk, now=moment))
        # On a consent of the year before.
        self.shard.done(self.shard.question_with_consent(plan_id, now=JANUARY))
        core.integrator.integrate()
        self.logs = list(core.ledger.logs)
        self.second_first = self.logs[1].first
        self.policy = "".join(f"log {one.signer.vkey}\n" for one in self.logs) + "quorum none\n"
        (folder / "policy").write_text(self.policy, encoding="utf-8")
        self.packs = [self.pack(2026), self.pack(2027)]

    def pack(self, year: int) -> Path:
        out = self.folder / f"{year}.zip"
        words = ["--data", str(self.shard.settings.data), "--log", str(year), "--out", str(out)]
        done = RUN.invoke(app, ["audit", "export", *words])
        assert done.exit_code == 0, done.output
        return out

    def audit(self, *words: str) -> tuple[int, Any]:
        done = RUN.invoke(app, ["audit", *words, "--policy", str(self.folder / "policy"), "-o", "json"])
        return done.exit_code, json.loads(done.stdout)


@pytest.fixture(scope="module")
def turned(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Turned]:
    made = Turned(tmp_path_factory.mktemp("turned"))
    yield made
    made.shard.close()


def changed(pack: Path, out: Path, name: str, new: bytes | None) -> Path:
    """Write a pack with one member changed or left out; nothing else is mended."""
    with zipfile.ZipFile(pack) as source, zipfile.ZipFile(out, "w") as target:
        for info in source.infolist():
            content = source.read(info) if info.filename != name else new
            if content is not None:
                target.writestr(info, content)
    return out


# --- packs ------------------------------------------------------------------------------------------------


def test_a_pack_is_of_one_log_and_names_the_end_of_the_former(turned: Turned) -> None:
    former, report = (verify_pack(pack, turned.policy) for pack in turned.packs)
    assert (former.problems, report.problems) == ((), ())
    assert former.former is None
    assert report.former == (former.origin, former.size, former.root, turned.second_first)
    assert former.size == turned.second_first
    assert follow(report, former).ok
    code, told = turned.audit("verify", str(turned.packs[1]), "--follows", str(turned.packs[0]))
    assert (code, told["ok"], told["former"]["first_leaf"]) == (0, True, turned.second_first)
    assert turned.audit("verify", str(turned.packs[0]))[1]["former"] is None


def test_a_pack_that_does_not_follow_the_shown_one_is_told(turned: Turned) -> None:
    for wrong in (turned.packs[1], turned.packs[0]):
        code, told = turned.audit("verify", str(turned.packs[0]), "--follows", str(wrong))
        assert (code, told["problems"][-1]["what"]) == (1, "this log followed no other")
    code, told = turned.audit("verify", str(turned.packs[1]), "--follows", str(turned.packs[1]))
    assert (code, told["problems"][-1]["place"]) == (1, "opening")


def test_the_end_of_the_former_log_is_a_checkpoint_to_go_on_from(turned: Turned) -> None:
    with zipfile.ZipFile(turned.packs[0]) as archive:
        note = archive.read("checkpoint")
    assert verify_pack(turned.packs[1], turned.policy, note).ok
    again = verify_again(turned.packs[1], parse_trust(turned.policy), note.decode())
    assert again.checkpoint.origin.endswith("/2027")
    earlier = turned.shard.core.checkpoints.history(turned.logs[0].origin)
    assert [head.size for head, _ in earlier] == [turned.second_first]


@pytest.mark.parametrize("new", [None, b"{}", b""])
def test_an_opening_that_is_not_that_of_the_first_leaf_is_refused(
    turned: Turned, tmp_path: Path, new: bytes | None
) -> None:
    forged = changed(turned.packs[1], tmp_path / "forged.zip", "opening", new)
    assert any("opening" in place for place in places(verify_pack(forged, turned.policy)))
    with pytest.raises(ProofRefused, match=r"opening|manifest|pack"):
        verify_again(forged, parse_trust(turned.policy))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("origin", "exchange.example/x/2027"),
        ("former_size", 0),
        ("former_size", True),
        ("first", 1),
        ("former_root", "0a"),
        ("former_root", 7),
        ("former_origin", ""),
    ],
)
def test_an_event_of_another_shape_opens_nothing(turned: Turned, name: str, value: object) -> None:
    from adapters.sdk.openings import read_opening as read_again
    from exchange.ledger.leaf import leaf_entry

    first = turned.second_first
    (row,) = turned.shard.core.reader.page(first, 1)
    said = json.loads(row.state)
    said["d"][name] = value if value != "" else said["d"]["origin"]
    event = json.dumps(said).encode()
    entry = leaf_entry(
        event_id=bytes(16),
        topic=row.topic,
        organisation=turned.shard.oin,
        task="beheer",
        purpose="beheer",
        basis="LOG",
        at="2027-01-01T00:00:00Z",
        state=event,
        pseudonym=None,
    )
    origin = turned.logs[1].origin
    with pytest.raises(ProofInvalid):
        read_opening(event, entry, origin, "opening")
    with pytest.raises(ProofRefused):
        read_again(event, entry, origin)


def test_the_second_verifier_sees_the_chain(turned: Turned) -> None:
    trust = parse_trust(turned.policy)
    found = verify_again(turned.packs[1], trust, former=turned.packs[0])
    assert found.checkpoint.origin == turned.logs[1].origin
    with pytest.raises(ProofRefused, match="another end"):
        verify_again(turned.packs[0], trust, former=turned.packs[0])


def test_an_answer_on_access_is_held_against_all_logs_and_no_gap_between_them(turned: Turned) -> None:
    core, trust = turned.shard.core, parse_trust(turned.policy)
    key = core.keys.open_key(turned.resident, "LEDGER", 1).ledger_key
    size = turned.shard.head
    rows = core.reader.page(0, size)
    own = [row.position - 1 for row in rows if _decode_stored(row.state).r == turned.resident]
    assert own[0] < turned.second_first < own[-1]

    def held(covered: Sequence[int], packs: Sequence[Path], until: int = size) -> Completeness:
        return complete_over_years(covered, until, packs, [key], trust)

    assert held(own, turned.packs).holds
    assert held(own[:-1], turned.packs) == Completeness((own[-1],), ())
    assert held(own[1:], turned.packs) == Completeness((own[0],), ())
    assert held([*own, size, turned.second_first], turned.packs).foreign == (turned.second_first, size)
    # A log left out, at either end, or in the other order.
    for packs, why in (
        (turned.packs[1:], "no pack was shown"),
        (turned.packs[:1], "older than the answer"),
        (turned.packs[::-1], "no pack was shown"),
        ([turned.packs[0], turned.packs[0]], "another end"),
        ([], "older than the answer"),
    ):
        with pytest.raises(ProofRefused, match=why):
            held(own, packs)


def test_the_page_shows_what_came_before(page: Page, turned: Turned) -> None:
    desk = Desk(page, turned)  # type: ignore[arg-type] # of the log it uses the folder alone
    assert desk.check(turned.policy, turned.packs[1]) == "good"
    assert f"Eindigde met {turned.second_first} regels" in desk.text().replace("\n", " ").replace("\t", " ")
    with zipfile.ZipFile(turned.packs[0]) as archive:
        note = archive.read("checkpoint")
    page.evaluate("document.getElementById('clear').click()")
    desk = Desk(page, turned)  # type: ignore[arg-type] # as above
    assert desk.check(turned.policy, turned.packs[1], earlier=note) == "good"
    assert "begint waar uw eerdere stand" in desk.text()
    desk = Desk(page, turned)  # type: ignore[arg-type] # as above
    forged = changed(turned.packs[1], turned.folder / "forged.zip", "opening", b"{}")
    assert desk.check(turned.policy, forged) == "bad"


def test_each_log_is_looked_at_for_lawfulness(turned: Turned) -> None:
    words = ["lawful", "--data", str(turned.shard.settings.data)]
    for packs in ([turned.packs[1]], turned.packs):
        code, told = turned.audit(*words, *(word for pack in packs for word in ("--pack", str(pack))))
        assert (code, told["findings"], told["disclosures"]) == (0, [], 1)


@pytest.mark.parametrize("which", [0, 1])
@pytest.mark.parametrize("name", VERIFIERS)
def test_software_of_others_takes_each_log(turned: Turned, name: str, which: int) -> None:
    verifier = VERIFIERS[name]
    log, pack = turned.logs[which], turned.packs[which]
    with zipfile.ZipFile(pack) as archive:
        files = {name: archive.read(name) for name in archive.namelist() if name.startswith("tile/")}
        note = archive.read("checkpoint")
    size = int(note.split(b"\n")[1])
    read_hash = log.tiles.hash_reader(size)
    older, index = size // 2, size - 1
    entries = turned.shard.core.reader.leaf_entries(log.first, log.first + size)
    from exchange.ledger.merkle import hash_leaf, root_of

    case = Case(
        vkey=log.signer.vkey,
        checkpoint=note,
        files=files,
        entry=entries[index],
        index=index,
        proof=tuple(inclusion_proof(index, size, read_hash)),
        older_size=older,
        older_root=root_of([hash_leaf(one) for one in entries[:older]]),
        consistency=tuple(consistency_proof(older, size, read_hash)),
    )
    assert verifier(case)
    assert not verifier(replace(case, vkey=turned.logs[1 - which].signer.vkey))


# --- policies -----------------------------------------------------------------------------------------------


def test_one_key_may_be_that_of_a_log_of_each_year_and_of_no_other(turned: Turned) -> None:
    key, former = turned.logs[1].signer, turned.logs[0].signer
    for other in ("renamed.example", "exchange.example/other/2028", former.name):
        text = f"log {former.vkey}\nlog {former.named(other).vkey}\nquorum none\n"
        with pytest.raises(SettingsInvalid, match="two lines"):
            parse_policy(text)
        with pytest.raises(ProofRefused, match="another line"):
            parse_trust(text)
    assert key.name in {one.name for one in parse_policy(turned.policy).logs}


def test_a_second_key_counts_for_the_log_of_its_name_alone(turned: Turned) -> None:
    first, second = turned.logs
    assert first.second is not None
    assert second.second is not None
    logs = f"log {first.signer.vkey}\nlog {second.signer.vkey}\n"
    seconds = f"witness a {first.second.vkey}\nwitness b {second.second.vkey}\n"
    note = second.tiles.read("checkpoint")
    either = f"{logs}{seconds}group g any a b\nquorum g\n"
    assert parse_policy(either).accept(note).origin == second.origin
    assert parse_trust(either).verify(note.decode()).checkpoint.origin == second.origin
    # The operator holds the key: he can sign under the other name as well, and it says nothing more.
    text = note.partition(b"\n\n")[0].decode() + "\n"
    forged = note + str(first.second.cosign(text, 1)).encode()
    for quorum in ("quorum a\n", "group g all a b\nquorum g\n"):
        with pytest.raises(ProofInvalid, match="too few"):
            parse_policy(f"{logs}{seconds}{quorum}").accept(forged)
        with pytest.raises(QuorumMissing):
            parse_trust(f"{logs}{seconds}{quorum}").verify(forged.decode())
    for text in (f"{seconds}{logs}quorum none\n", f"log {first.signer.vkey}\n{seconds}quorum none\n"):
        with pytest.raises(SettingsInvalid, match="two lines"):
            parse_policy(text)
        with pytest.raises(ProofRefused, match="another line"):
            parse_trust(text)
