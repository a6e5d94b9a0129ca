"""`verify.html` in a real browser: what it says of good packs and receipts, of forgeries, and of itself."""

from __future__ import annotations

import json
import re
from base64 import b64encode
from hashlib import sha256
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from exchange.ledger.checkpoint import Checkpoint
from exchange.ledger.note import VerifierKey
from exchange.ledger.pack import PAGE
from exchange.ledger.receipt import make_receipt
from exchange.ledger.tiles import ENTRIES, join_bundle, split_bundle, tile_path
from exchange.ledger.verify import verify_pack
from tests.ledger.builders import (
    ORIGIN,
    cosign,
    entry,
    exported,
    grown,
    members,
    rewritten,
    signer,
    witness_vkey,
)

if TYPE_CHECKING:
    from tests.ledger.browser import Page
    from tests.ledger.builders import Log, Members

PATH = Path(str(files("exchange.ledger").joinpath(PAGE)))
TEXT = PATH.read_text(encoding="utf-8")


class Desk:
    """The page with an officer before it."""

    def __init__(self, page: Page, log: Log, file: Path = PATH) -> None:
        self.page, self.log = page, log
        page.open(file)

    def check(self, policy: str, subject: bytes | Path, earlier: bytes = b"", extra: bytes = b"") -> str:
        given: list[tuple[str, str, bytes | Path]] = [
            ("policy", "policy", policy.encode()),
            ("subject", "pack", subject),
        ]
        given += [("earlier", "earlier", earlier)] if earlier else []
        given += [("subject", "entry", extra)] if extra else []
        for field, _, content in given:
            file = content if isinstance(content, Path) else self.log.folder / f"given-{field}-{len(content)}"
            if isinstance(content, bytes):
                file.write_bytes(content)
            self.page.choose(f"#{field}-file", file)
            self.page.until(
                f"[...document.querySelectorAll('[data-kind={field}] output')]"
                f".some((one) => one.textContent.includes('{file.name}'))"
            )
        self.page.evaluate("document.getElementById('check').click()")
        verdict: str = self.page.until("document.documentElement.dataset.verdict")
        return verdict

    def text(self, selector: str = "#results") -> str:
        said: str = self.page.evaluate(f"document.querySelector({selector!r}).innerText")
        return said


@pytest.fixture
def desk(page: Page, log: Log) -> Desk:
    return Desk(page, log)


# --- the file ------------------------------------------------------------------------------------------


def test_the_page_may_run_only_its_own_code_and_reach_nothing() -> None:
    (policy,) = re.findall(r'http-equiv="Content-Security-Policy" content="([^"]*)"', TEXT)
    for tag, directive in (("script", "script-src"), ("style", "style-src")):
        (code,) = re.findall(rf"<{tag}>(.*?)</{tag}>", TEXT, re.DOTALL)
        fits = b64encode(sha256(code.encode()).digest()).decode()
        assert f"{directive} 'sha256-{fits}'" in policy
    assert policy.startswith("default-src 'none'; ")
    assert "unsafe" not in policy
    outside = re.findall(r"https?://[^\"'\s)]*|\bsrc=|\bhref=|@import|url\(", TEXT)
    assert [one for one in outside if one != "http://www.w3.org/2000/svg"] == []


def test_the_page_reaches_nobody(desk: Desk) -> None:
    script = "fetch('https://exchange.example/').then(() => 'reached', () => 'not reached')"
    assert desk.page.evaluate(script) == "not reached"
    # The page's own rules refused it, before any network had a say.
    assert any("Content Security Policy" in told for told in desk.page.console)


# --- what is good ----------------------------------------------------------------------------------------


def witnessed(log: Log, found: Members) -> tuple[Members, str]:
    """Return the members with two of three witnesses under the checkpoint, and a policy that asks them."""
    witnesses = [signer(f"w{number}.example", bytes([number]) * 32) for number in (1, 2, 3)]
    note = dict(found)["checkpoint"]
    body = note.partition(b"\n\n")[0].decode() + "\n"
    note += b"".join(cosign(body, one) for one in witnesses[:2])
    lines = [f"witness {number} {witness_vkey(one)}" for number, one in enumerate(witnesses, 1)]
    policy = "\n".join([f"log {log.signer.vkey}", *lines, "group all 2 1 2 3", "quorum all", ""])
    return [(name, note if name == "checkpoint" else content) for name, content in found], policy


def test_a_good_pack_is_good_and_says_what_is_not_proven(desk: Desk, log: Log) -> None:
    kept = grown(log, 120)
    pack = exported(log, 700, 120)
    assert desk.check(log.policy, pack, kept.note) == "good"
    said = desk.text()
    assert "Klopt" in said
    assert "Vergeleken met uw eerdere stand van 120 regels" in said
    assert "Wat deze controle niet bewijst" in said
    assert "Alleen het logboek zelf" in said
    assert desk.page.console == []


def test_a_pack_of_a_version_without_a_page_is_good(desk: Desk, log: Log) -> None:
    found = [member for member in members(exported(log, 5)) if member[0] != PAGE]
    assert desk.check(log.policy, rewritten(log, found)) == "good"


def test_it_says_who_signed_and_when(desk: Desk, log: Log) -> None:
    found, policy = witnessed(log, members(exported(log, 5)))
    line = b64encode(b"\x01\x02\x03\x04" + bytes(8 + 2420)).decode()
    found = [
        (name, content + f"\u2014 {ORIGIN} {line}\n".encode() if name == "checkpoint" else content)
        for name, content in found
    ]
    pack = rewritten(log, found)
    assert verify_pack(pack, policy).ok
    assert desk.check(policy, pack) == "good"
    said = desk.text()
    assert "31 januari 2026 om 13:00:00 (Nederlandse tijd)" in said
    assert "Quorum gehaald" in said
    assert "2 van 3" in said
    assert "ML-DSA-handtekening (tegen quantumcomputers); hier niet gecontroleerd" in said


def test_a_receipt_is_good_with_its_entry_within_or_beside(desk: Desk, log: Log) -> None:
    signed = grown(log, 9)
    read_hash = log.tiles.hash_reader(9)
    assert desk.check(log.policy, make_receipt(3, signed, read_hash, entry(3))) == "good"
    assert "consent.given.v1" in desk.text()
    beside = make_receipt(3, signed, read_hash)
    again = Desk(desk.page, log)
    assert again.check(log.policy, beside) == "bad"
    again = Desk(desk.page, log)
    assert again.check(log.policy, beside, extra=entry(3)) == "good"
    again = Desk(desk.page, log)
    assert again.check(log.policy, beside, extra=entry(4)) == "bad"


def test_files_may_be_dropped_all_at_once(desk: Desk, log: Log) -> None:
    kept = grown(log, 4).note
    files = {"a": log.policy.encode(), "b": exported(log, 9, 4).read_bytes(), "c": kept}
    told = {name: b64encode(content).decode() for name, content in files.items()}
    desk.page.evaluate(
        f"""(() => {{ const dropped = new DataTransfer();
        for (const [name, text] of Object.entries({json.dumps(told)}))
            dropped.items.add(new File([Uint8Array.from(atob(text), (sign) => sign.charCodeAt(0))], name));
        const drop = new DragEvent("drop", {{ bubbles: true, dataTransfer: dropped }});
        document.body.dispatchEvent(drop); }})()"""
    )
    desk.page.until("document.getElementById('earlier-name').textContent")
    desk.page.evaluate("document.getElementById('check').click()")
    assert desk.page.until("document.documentElement.dataset.verdict") == "good"
    assert "Vergeleken met uw eerdere stand van 4 regels" in desk.text()


def test_a_policy_may_be_pasted(desk: Desk, log: Log) -> None:
    desk.page.evaluate(
        f"""(() => {{ const field = document.getElementById("policy");
        field.value = {json.dumps(log.policy.strip())}; field.dispatchEvent(new Event("input")); }})()"""
    )
    desk.page.choose("#subject-file", exported(log, 5))
    desk.page.until("!document.getElementById('check').disabled")
    desk.page.evaluate("document.getElementById('check').click()")
    assert desk.page.until("document.documentElement.dataset.verdict") == "good"


def test_the_state_that_was_checked_can_be_kept(desk: Desk, log: Log) -> None:
    """What the button saves is the very note: the next audit compares with it."""
    assert desk.check(log.policy, exported(log, 5)) == "good"
    saved = desk.page.evaluate(
        """(async () => { const made = []; const old = URL.createObjectURL;
        URL.createObjectURL = (blob) => { made.push(blob); return old.call(URL, blob); };
        HTMLAnchorElement.prototype.click = () => {};
        document.querySelector("#results button").click();
        return made[0].text(); })()"""
    )
    assert saved.encode() == log.tiles.read("checkpoint")


IN_THE_PAGE = """(() => VECTORS.filter((one) => {
    const raw = (text) => Uint8Array.from(atob(text ?? ""), (sign) => sign.charCodeAt(0));
    const proof = (one.proof ?? []).map(raw), big = (name) => BigInt(one[name]);
    try {
        if (proof.some((hash) => hash.length !== 32)) throw new Refused("", "");
        if (one.kind === "inclusion")
            verifyInclusion(big("leafIdx"), big("treeSize"), raw(one.leafHash), proof, raw(one.root), "");
        else verifyConsistency(big("size1"), big("size2"), raw(one.root1), raw(one.root2), proof, "");
        return one.wantErr;
    } catch (error) { if (!(error instanceof Refused)) throw error; return !one.wantErr; }
}).map((one) => one.file))()"""


def test_every_published_vector_gets_the_published_answer(page: Page, vectors: Path) -> None:
    """Numbers travel as text: as JavaScript reads them, the largest would lose their last digits."""
    told = []
    for kind in ("inclusion", "consistency"):
        for file in sorted((vectors / "merkle" / "testdata" / kind).rglob("*.json")):
            vector = json.loads(file.read_text(), parse_int=str)
            told.append({"kind": kind, "file": file.name, **vector})
    assert len(told) == 196
    engine = TEXT.split('<script type="text/plain" id="engine">')[1].split("</script>")[0]
    page.open(PATH)
    script = f"(() => {{ {engine}; const VECTORS = {json.dumps(told)}; return {IN_THE_PAGE}; }})()"
    assert page.evaluate(script) == []


# --- what is not -----------------------------------------------------------------------------------------


def flipped(whole: bytes, at: int) -> bytes:
    return whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :]


def swapped(found: Members) -> Members:
    name = tile_path(ENTRIES, 0)
    entries = split_bundle(dict(found)[name], 256, name)
    entries[3], entries[4] = entries[4], entries[3]
    return [(one, join_bundle(entries) if one == name else content) for one, content in found]


def forgeries(log: Log) -> list[tuple[str, bytes, str, bytes]]:
    """Return (what, pack, policy, earlier) for each: none may be taken for good."""
    kept = grown(log, 120).note
    pack = exported(log, 300, 120)
    whole = pack.read_bytes()
    other = signer(ORIGIN, b"o" * 32)
    asked, quorum_policy = witnessed(log, members(pack))
    lone = [
        (name, content[: content.index(b"\xe2\x80\x94 w1")]) if name == "checkpoint" else (name, content)
        for name, content in asked
    ]
    forged_root = log.signer.sign(Checkpoint(ORIGIN, 300, bytes(32)).body())
    root = [(name, forged_root if name == "checkpoint" else content) for name, content in members(pack)]
    foreign = other.sign(Checkpoint(ORIGIN, 120, bytes(32)).body())
    return [
        ("an entry", flipped(whole, whole.index(entry(7)) + 30), log.policy, b""),
        ("the page", flipped(whole, whole.index(b"<!DOCTYPE")), log.policy, b""),
        ("a zip header", flipped(whole, 11), log.policy, b""),
        ("the zip directory", flipped(whole, len(whole) - 3), log.policy, b""),
        ("one byte more", whole + b"\0", log.policy, b""),
        ("cut in half", whole[: len(whole) // 2], log.policy, b""),
        ("the last byte", whole[:-1], log.policy, b""),
        ("entries swapped", rewritten(log, swapped(members(pack))).read_bytes(), log.policy, b""),
        ("a signed root of nothing", rewritten(log, root).read_bytes(), log.policy, b""),
        ("a manifest of a stranger", rewritten(log, members(pack), key=other).read_bytes(), log.policy, b""),
        ("the right name, another key", whole, f"log {other.vkey}\nquorum none\n", b""),
        ("one witness too few", rewritten(log, lone).read_bytes(), quorum_policy, b""),
        ("an earlier checkpoint of a stranger", whole, log.policy, foreign),
        ("an earlier checkpoint that is none", whole, log.policy, kept[:-9]),
    ]  # fmt: skip


def test_no_forgery_is_good_and_both_verifiers_say_so(page: Page, log: Log) -> None:
    for what, pack, policy, earlier in forgeries(log):
        file = log.folder / "forged.zip"
        file.write_bytes(pack)
        assert not verify_pack(file, policy, earlier or None).ok, what
        desk = Desk(page, log)
        assert desk.check(policy, file, earlier) == "bad", what
        assert "Klopt niet" in desk.text(".verdict"), what
    assert page.console == []


def test_the_leaf_that_differs_is_named(desk: Desk, log: Log) -> None:
    pack = exported(log, 300)
    whole = pack.read_bytes()
    assert desk.check(log.policy, flipped(whole, whole.index(entry(290)) + 30)) == "bad"
    assert "tile/0/001.p/44 (regel 290)" in desk.text()


@pytest.mark.parametrize(
    ("policy", "why"),
    [
        ("log {vkey}\n", "quorum-regel"),
        ("quorum none\n", "geen logboek"),
        ("log {vkey}\nlog {vkey}\nquorum none\n", "regel 2"),
        ("log {vkey}\nwitness a {w1}\nwitness b {w1}\ngroup g 2 a b\nquorum g\n", "sleutels tellen"),
        ("log {vkey}\nquorum nobody\n", "regel 2"),
        ("log {vkey}=\nquorum none\n", "base64"),
        ("log {vkey}\nwitness a {everybody}\nquorum a\n", "waaronder iedereen kan ondertekenen"),
    ],
)
def test_a_policy_that_is_none_gives_no_verdict(desk: Desk, log: Log, policy: str, why: str) -> None:
    vkey = witness_vkey(signer("w1.example", b"1" * 32))
    everybody = VerifierKey("w2.example", 4, b"\1" + bytes(30) + b"\x80")
    said = policy.format(vkey=log.signer.vkey, w1=vkey, everybody=everybody)
    assert desk.check(said, exported(log, 5)) == "unable"
    assert why in desk.text()


# --- a browser that cannot -------------------------------------------------------------------------------

CANNOT = {
    "no WebCrypto": "delete globalThis.crypto; Object.defineProperty(globalThis, 'crypto', { value: {} });",
    "no Ed25519": """SubtleCrypto.prototype.importKey = async () => {
        throw new DOMException("Unrecognized name.", "NotSupportedError"); };""",
    "says yes to all": "SubtleCrypto.prototype.verify = async () => true;",
    "another SHA-256": "SubtleCrypto.prototype.digest = async () => new ArrayBuffer(32);",
}


@pytest.mark.parametrize("what", CANNOT)
def test_a_browser_that_cannot_check_never_says_good(page: Page, log: Log, what: str) -> None:
    copy = log.folder / PAGE
    mark = '<script type="text/plain" id="engine">'
    assert TEXT.count(mark) == 1
    copy.write_text(TEXT.replace(mark, mark + CANNOT[what]), encoding="utf-8")
    desk = Desk(page, log, copy)
    assert desk.check(log.policy, exported(log, 5)) == "unable"
    assert "Niet te controleren" in desk.text(".verdict")
    assert "Niets" in desk.text() or "niets" in desk.text()


# --- for people ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("width", "dark"), [(360, False), (360, True), (1200, False)])
def test_it_fits_and_can_be_read(page: Page, log: Log, width: int, *, dark: bool) -> None:
    page.open(PATH, width=width, dark=dark)
    desk = Desk.__new__(Desk)
    desk.page, desk.log = page, log
    assert desk.check(log.policy, exported(log, 5)) == "good"
    overflow = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
    assert page.evaluate(overflow) <= 0
    assert page.evaluate("document.activeElement.closest('.verdict') !== null")
    unnamed: list[Any] = page.evaluate(
        "[...document.querySelectorAll('input, textarea, button, progress')]"
        ".filter((one) => !one.labels?.length && !one.textContent && !one.ariaLabel).map((one) => one.id)"
    )
    assert unnamed == []
    assert min(page.evaluate(CONTRASTS)) >= 4.5


# WCAG 2.2, 1.4.3: the ratio of each text to what is behind it.
CONTRASTS = """(() => {
    const parts = (colour) => colour.match(/[\\d.]+/g).map(Number);
    const light = (colour) => { const [r, g, b] = parts(colour).map((value) => {
        const part = value / 255; return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4; });
        return 0.2126 * r + 0.7152 * g + 0.0722 * b; };
    const behind = (one) => { for (; one; one = one.parentElement) {
        const colour = getComputedStyle(one).backgroundColor;
        if ((parts(colour)[3] ?? 1) > 0) return colour; } return "rgb(255, 255, 255)"; };
    return [...document.querySelectorAll("body *")]
        .filter((one) => [...one.childNodes].some((node) => node.nodeType === 3 && node.data.trim())
            && one.checkVisibility() && !one.disabled && !one.closest("script, style"))
        .map((one) => { const [a, b] = [light(getComputedStyle(one).color), light(behind(one))];
            return (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05); });
})()"""


@pytest.mark.slow
def test_a_long_log_does_not_freeze_the_page(desk: Desk, log: Log) -> None:
    pack = exported(log, 60_000)
    desk.page.evaluate(
        "window.longest = 0; window.began = performance.now(); { let last = began; setInterval(() => {"
        "const now = performance.now(); longest = Math.max(longest, now - last); last = now; }, 10); }"
    )
    assert desk.check(log.policy, pack) == "good"
    took = desk.page.evaluate("performance.now() - began")
    assert "60.000 regels" in desk.text()
    # Hashing takes seconds, however many; the page itself never waits for it.
    assert desk.page.evaluate("longest") < took / 2
