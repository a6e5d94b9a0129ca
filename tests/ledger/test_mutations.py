"""One byte changed, ten thousand times: no pack, receipt, checkpoint or policy is taken for good any more.

What is mutated means something in every byte: each witness of the policy must have signed, no key is unknown,
and the policy has no comment and asks `all`, so that no other number would do. Not all are of a first log: of
one that followed another, the kept checkpoint is the end of that one, and the policy names both. One exchange
is left out, for it changes no meaning: a space of a policy for a tab.
"""

from __future__ import annotations

import json
import struct
from base64 import b64encode
from dataclasses import dataclass
from hashlib import sha256
from random import Random
from typing import TYPE_CHECKING

import pytest

from adapters.sdk.packs import verify_pack as verify_pack_again
from adapters.sdk.proofs import ProofRefused
from adapters.sdk.trust import parse_trust
from exchange.errors import ProofInvalid, SettingsInvalid
from exchange.ledger.checkpoint import Checkpoint, SignedCheckpoint, parse_policy, sign_checkpoint
from exchange.ledger.receipt import make_receipt, verify_receipt
from exchange.ledger.verify import verify_pack
from tests.ledger.builders import (
    cosign,
    entry,
    exported,
    grown,
    members,
    opened,
    rewritten,
    signer,
    witness_vkey,
)
from tests.ledger.test_page import PATH, TEXT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.ledger.browser import Page
    from tests.ledger.builders import Log

SEED = 20_260_131
TIMES = {
    "first": {"pack": 2_500, "receipt": 1_500, "checkpoint": 1_000, "policy": 1_000},
    "later": {"pack": 1_500, "receipt": 500, "checkpoint": 1_000, "policy": 1_000},
}
WHOLE = [(which, which, what) for which, times in TIMES.items() for what in times]
FORMER = "exchange.example/0363/2025"
SIZE, KEPT, INDEX = 40, 17, 11


@dataclass(frozen=True)
class Desk:
    """What an officer has: four files, all of them good."""

    folder: Path
    pack: bytes
    receipt: bytes
    checkpoint: bytes  # kept from an earlier audit
    policy: bytes

    def ours(self, **changed: bytes) -> bool:
        """Tell what the exchange's verifier says of pack, receipt and kept checkpoint together."""
        given = {**vars(self), **changed}
        try:
            policy = parse_policy(given["policy"].decode("utf-8", errors="surrogateescape"))
        except SettingsInvalid:
            return False
        if changed.keys() & {"receipt", "policy"}:
            try:
                assert verify_receipt(None, given["receipt"], policy).entry
            except ProofInvalid:
                return False
            if "receipt" in changed:
                return True
        file = self.folder / "pack.zip"
        file.write_bytes(given["pack"])
        text = given["policy"].decode("utf-8", errors="surrogateescape")
        return verify_pack(file, text, given["checkpoint"]).ok

    def again(self, **changed: bytes) -> bool:
        """Tell what the second verifier says."""
        given = {**vars(self), **changed}
        try:
            texts = {
                name: given[name].decode("utf-8", errors="surrogateescape")
                for name in ("policy", "receipt", "checkpoint")
            }
            trust = parse_trust(texts["policy"])
            if changed.keys() & {"receipt", "policy"}:
                trust.verify_receipt(None, texts["receipt"])
            if "receipt" not in changed:
                file = self.folder / "pack.zip"
                file.write_bytes(given["pack"])
                verify_pack_again(file, trust, texts["checkpoint"])
        except ProofRefused:
            return False
        return True


@pytest.fixture
def desk(log: Log, request: pytest.FixtureRequest) -> Desk:
    witnesses = [signer(f"w{number}.example", bytes([number]) * 32) for number in (1, 2)]

    def cosigned(signed: SignedCheckpoint) -> SignedCheckpoint:
        lines = [cosign(signed.checkpoint.body(), one) for one in witnesses]
        return SignedCheckpoint(signed.checkpoint, signed.note + b"".join(lines))

    logs, event, ended = [log.signer], b"", None
    if getattr(request, "param", "first") == "later":
        logs = [signer(FORMER), log.signer]
        ended = sign_checkpoint(Checkpoint(FORMER, 90, sha256(b"all of it").digest()), logs[0])
        event = opened(log, ended.checkpoint)
    kept = cosigned(ended or grown(log, KEPT))
    signed = cosigned(grown(log, SIZE))
    found = [
        (name, signed.note if name == "checkpoint" else content)
        for name, content in members(exported(log, SIZE, KEPT, event))
    ]
    lines = [f"log {one.vkey}" for one in logs]
    lines += [f"witness w{number} {witness_vkey(one)}" for number, one in enumerate(witnesses, 1)]
    policy = "\n".join([*lines, "group g all w1 w2", "quorum g", ""])
    return Desk(
        log.folder,
        rewritten(log, found).read_bytes(),
        make_receipt(INDEX, signed, log.tiles.hash_reader(SIZE), entry(INDEX)),
        kept.note,
        policy.encode(),
    )


def mutations(what: str, whole: bytes, times: int) -> Iterator[tuple[int, bytes]]:
    """Yield the place and the whole with one other byte there."""
    draw = Random(f"{SEED} {what}")  # noqa: S311 -- the same changes each time
    page = (whole.index(b"<!DOCTYPE"), whole.index(b"</html>")) if what == "pack" else (0, 0)
    for number in range(times):
        at = draw.randrange(len(whole))
        # Most of a small pack is the page, of which one byte is like another: half of them look elsewhere.
        while number % 2 and page[0] <= at < page[1]:
            at = draw.randrange(len(whole))
        byte = draw.choice([one for one in range(256) if one != whole[at]])
        if what == "policy" and {whole[at], byte} == {0x20, 0x09}:
            byte = 0x58
        yield at, whole[:at] + bytes([byte]) + whole[at + 1 :]


@pytest.mark.slow
@pytest.mark.parametrize(("desk", "which", "what"), WHOLE, indirect=["desk"])
def test_no_mutation_is_accepted(desk: Desk, which: str, what: str) -> None:
    assert sum(sum(times.values()) for times in TIMES.values()) == 10_000
    assert desk.ours()
    assert desk.ours(receipt=desk.receipt)
    accepted = [
        at
        for at, changed in mutations(what, getattr(desk, what), TIMES[which][what])
        if desk.ours(**{what: changed})
    ]
    assert accepted == []


@pytest.mark.slow
@pytest.mark.parametrize(("desk", "which", "what"), WHOLE, indirect=["desk"])
def test_no_mutation_is_accepted_by_the_second_verifier(desk: Desk, which: str, what: str) -> None:
    assert desk.again()
    assert desk.again(receipt=desk.receipt)
    accepted = [
        at
        for at, changed in mutations(what, getattr(desk, what), TIMES[which][what])
        if desk.again(**{what: changed})
    ]
    assert accepted == []


# The page's own engine, in the browser; the draw is its own, from the same seed.
IN_THE_PAGE = """(async () => {
    let state = SEED;
    const draw = (below) => {
        state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
        return Math.floor(state / 2 ** 32 * below);
    };
    const said = async (all) => (await check({ ...all, pack: all.pack && new Blob([all.pack]) })).verdict;
    const good = { ...FILES, earlier: FILES.checkpoint };
    if (await said(good) !== "good") return ["the good one is refused"];
    const accepted = [], blank = [32, 9];
    for (const [what, times] of Object.entries(TIMES)) for (let n = 0; n < times; n++) {
        const name = what === "checkpoint" ? "earlier" : what, whole = good[name].slice();
        // Without its last newline a policy means the same to this page, as with a tab for a space.
        const at = draw(whole.length - (what === "policy" ? 1 : 0)), byte = draw(256);
        if (byte === whole[at] || (blank.includes(whole[at]) && blank.includes(byte))) continue;
        whole[at] = byte;
        const only = what === "receipt" ? { ...good, pack: null } : good;
        if (await said({ ...only, [name]: whole }) === "good") accepted.push(`${what} ${at} ${byte}`);
    }
    return accepted;
})()"""


ONE_PACK = "(async () => (await check({ ...FILES, pack: new Blob([FILES.pack]) })).verdict)()"


@pytest.mark.slow
@pytest.mark.parametrize(("desk", "which"), [(which, which) for which in TIMES], indirect=["desk"])
def test_no_mutation_is_accepted_by_the_page(desk: Desk, which: str, page: Page) -> None:
    files = {name: getattr(desk, name) for name in TIMES[which]}
    times = {what: count // 4 for what, count in TIMES[which].items()}
    assert run_in(page, files, f"const SEED = {SEED}, TIMES = {json.dumps(times)};", IN_THE_PAGE) == []


def in_the_page(desk: Desk, page: Page, pack: bytes) -> bool:
    """Tell what the page's engine says of one pack."""
    files = {"pack": pack, "policy": desk.policy}
    return run_in(page, files, "", ONE_PACK) == "good"


def run_in(page: Page, files: dict[str, bytes], set_up: str, asked: str) -> object:
    page.open(PATH)
    engine = TEXT.split('<script type="text/plain" id="engine">')[1].split("</script>")[0]
    texts = json.dumps({name: b64encode(content).decode() for name, content in files.items()})
    given = f"""const FILES = Object.fromEntries(Object.entries({texts}).map(([name, text]) =>
        [name, Uint8Array.from(atob(text), (sign) => sign.charCodeAt(0))]));"""
    # A scope of its own: what the page itself declares stays as it is.
    return page.evaluate(f"(() => {{ {engine}\n{given}\n{set_up}\nreturn {asked}; }})()")


# --- more than one byte ----------------------------------------------------------------------------------


@pytest.mark.parametrize("what", ["pack", "receipt", "checkpoint", "policy"])
def test_nothing_that_ends_early_is_accepted(desk: Desk, what: str) -> None:
    whole: bytes = getattr(desk, what)
    draw = Random(SEED)  # noqa: S311 -- the same cuts each time
    cuts = [0, 1, len(whole) // 2, len(whole) - 1, *(draw.randrange(len(whole)) for _ in range(60))]
    assert [at for at in cuts if desk.ours(**{what: whole[:at]})] == []
    assert [at for at in cuts if desk.again(**{what: whole[:at]})] == []


def test_no_two_entries_of_a_pack_can_change_places(desk: Desk) -> None:
    for first in range(0, SIZE - 1, 7):
        left, right = entry(first), entry(first + 1)
        swapped = desk.pack.replace(left, b"\0" * 9).replace(right, left).replace(b"\0" * 9, right)
        assert swapped != desk.pack
        assert not desk.ours(pack=swapped)
        assert not desk.again(pack=swapped)


# --- what a zip file says of its members, twice and in many ways ------------------------------------------


@pytest.mark.slow
def test_no_bit_of_what_frames_the_members_can_change(desk: Desk) -> None:
    members_end = 0
    framing: list[int] = []
    while desk.pack[members_end:].startswith(b"PK\x03\x04"):
        size = int.from_bytes(desk.pack[members_end + 22 :][:4], "little")
        name = int.from_bytes(desk.pack[members_end + 26 :][:2], "little")
        framing += range(members_end, members_end + 30 + name)
        members_end += 30 + name + size
    framing += range(members_end, len(desk.pack))
    assert len(framing) > 700
    for at in framing:
        other = desk.pack[at] ^ (1 << at % 8)
        changed = desk.pack[:at] + bytes([other]) + desk.pack[at + 1 :]
        assert not desk.again(pack=changed), at


def reframed(pack: bytes) -> dict[str, bytes]:
    """Return packs in which only some programs would find what others do; under "nothing" the same bytes."""
    end = pack[-22:]
    start = int.from_bytes(end[16:20], "little")
    head, directory = pack[:start], pack[start:-22]
    checkpoint = pack[: 30 + len("checkpoint") + int.from_bytes(pack[22:26], "little")]
    row = directory[: 46 + len("checkpoint")]
    count = int.from_bytes(end[10:12], "little")

    def ended(rows: bytes, number: int, at: int) -> bytes:
        sizes = number.to_bytes(2, "little") * 2 + len(rows).to_bytes(4, "little") + at.to_bytes(4, "little")
        return rows + end[:8] + sizes + end[20:]

    # The end record of zip64 and what says where it stands, with the numbers of the plain one.
    far = struct.pack("<4sQHHIIQQQQ", b"PK\6\6", 44, 45, 45, 0, 0, count, count, len(directory), start)
    where = struct.pack("<4sIQI", b"PK\6\7", 0, start + len(directory), 1)
    return {
        "nothing": head + ended(directory, count, start),
        "the same name twice": head + checkpoint + ended(directory + row, count + 1, start + len(checkpoint)),
        "a member the directory leaves out": head
        + checkpoint
        + ended(directory, count, start + len(checkpoint)),
        "a row without a member": head + ended(directory + row, count + 1, start),
        "a row less than members": head + ended(directory[len(row) :], count - 1, start),
        "something before it": b"#!" + pack,
        "something behind it": pack + b"\0",
        "a comment": pack[:-2] + b"\1\0x",
        "two directories": pack + ended(directory, count, start),
        "a directory of zip64 too": head + directory + far + where + end,
        "numbers that only zip64 has": head + directory + far + where + end[:8] + b"\xff" * 12 + end[20:],
        "only the directory": ended(directory, count, start),
        "a gap before the directory": head + b"\0" + ended(directory, count, start + 1),
    }


@pytest.mark.parametrize("verifier", [Desk.ours, Desk.again])
def test_what_only_some_programs_would_find_in_a_pack_is_refused(
    desk: Desk, verifier: Callable[..., bool]
) -> None:
    taken = [what for what, pack in reframed(desk.pack).items() if verifier(desk, pack=pack)]
    assert taken == ["nothing"]


@pytest.mark.slow
def test_nor_does_the_page_take_it(desk: Desk, page: Page) -> None:
    taken = [what for what, pack in reframed(desk.pack).items() if in_the_page(desk, page, pack)]
    assert taken == ["nothing"]
