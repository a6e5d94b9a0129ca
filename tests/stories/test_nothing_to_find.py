"""What a thief finds of identity in all a demo wrote: no BSN, no pseudonym, nothing to try one against.

The search over BSNs is a sample of the 90.9 million that are valid: it shows how, not that all were tried.
Source: LEDGER design, promise 3; UAVG 46.
"""

from __future__ import annotations

import base64
import hmac
import random
import re
import shutil
from hashlib import blake2b, md5, sha1, sha256, sha512
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import rbcl

from adapters.sdk.blinding import Blinder, blind_with
from adapters.sdk.bsn import Bsn, passes_eleven_proof
from exchange.keys.identity import IdentityKeys
from exchange.keys.kek import FileKek
from exchange.keys.keystore import KeyStore
from tests.conftest import SLOW_TIMEOUT_S
from tests.stories.conftest import DEMO_MAX_S

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.stories.conftest import Demo

# Whoever comes first runs the whole demo, and the others wait for it.
pytestmark = pytest.mark.timeout(DEMO_MAX_S + 60)
SAMPLE = 20_000
PREFIX_BYTES = 8
OPERATOR, PROVIDER = "00000001003214345000", "00000003271543200000"
HEX_RUN = re.compile(rb"[0-9a-f]{16,}|[0-9A-F]{16,}")
BASE64_RUN = re.compile(rb"[A-Za-z0-9+/_-]{11,}")


def keys_of(demo: Demo, room: Path) -> IdentityKeys:
    """The identity keys of the demo's service: only to know what must not be found.

    Of a copy: what opens a store has files beside it meanwhile, and other tests read the folder of the demo.
    """
    folder = Path(shutil.copytree(demo.data / "exchange" / "keys", room / "keys"))
    store = KeyStore(folder / "keys.db", FileKek(folder / "kek"))
    try:
        return IdentityKeys(store.service_secret("identity"))
    finally:
        store.close()


def pseudonym(keys: IdentityKeys, oin: str, bsn: Bsn) -> bytes:
    blinder = Blinder(keys.public_key(oin))
    blinded, state = blinder.blind(bsn)
    answer = keys.evaluate(oin, blinded)
    return blinder.unblind(state, answer.element, answer.proof)


def encoded(secret: bytes) -> list[bytes]:
    """Every way these bytes can stand in a file: raw, hexadecimal, base64 wherever in a longer text."""
    found = [secret, secret.hex().encode(), secret.hex().upper().encode()]
    for before in range(3):
        text = base64.b64encode(bytes(before) + secret)
        # Without the characters that hold bits of a neighbour.
        inner = text[4 if before else 0 : -4]
        found += [inner, inner.replace(b"+", b"-").replace(b"/", b"_")]
    return found


def contents(demo: Demo) -> dict[str, bytes]:
    return {str(file.relative_to(demo.data)): file.read_bytes() for file in demo.outside}


def test_no_pseudonym_of_anybody_is_in_what_the_exchange_wrote(demo: Demo, tmp_path: Path) -> None:
    keys = keys_of(demo, tmp_path)
    written = contents(demo)
    assert {"exchange/events.db", "exchange/keys/keys.db"} <= set(written)
    for bsn in demo.told["bsns"]:
        theirs = [pseudonym(keys, oin, Bsn(bsn)) for oin in (OPERATOR, PROVIDER)]
        root = keys.root(OPERATOR, theirs[0])
        assert keys.root(PROVIDER, theirs[1]) == root
        for secret in (*theirs, root):
            forms = encoded(secret)
            assert [name for name, raw in written.items() for form in forms if form in raw] == []


def test_no_organisations_own_system_holds_the_pseudonym_of_another(demo: Demo, tmp_path: Path) -> None:
    keys = keys_of(demo, tmp_path)
    of = {oin: [pseudonym(keys, oin, Bsn(bsn)) for bsn in demo.told["bsns"]] for oin in (OPERATOR, PROVIDER)}
    systems = [folder for folder in (demo.data / "adapters").iterdir() if folder.is_dir()]
    assert len(systems) > 1
    for folder in systems:
        raw = b"".join(file.read_bytes() for file in folder.rglob("*") if file.is_file())
        held = {oin for oin, theirs in of.items() if any(form in raw for p in theirs for form in encoded(p))}
        assert len(held) <= 1, folder.name


# --- a thief with the store and no keys tries BSNs ------------------------------------------------------


def valid_bsns(seed: int) -> Iterator[str]:
    draw = random.Random(seed)  # noqa: S311 -- a sample, the same each time
    while True:
        digits = f"{draw.randrange(10**9):09d}"
        if passes_eleven_proof(digits):
            yield digits


def guesses(digits: str) -> Iterator[bytes]:
    """What somebody without a key can make of a BSN, 8 bytes of each."""
    for text in (digits, str(int(digits)), f"bsn:{digits}"):
        raw = text.encode()
        for digest in (sha256, sha512, sha1, md5, blake2b):
            yield digest(raw).digest()[:PREFIX_BYTES]
        yield sha256(sha256(raw).digest()).digest()[:PREFIX_BYTES]
        for key in (b"", b"exchange", OPERATOR.encode(), PROVIDER.encode()):
            yield hmac.digest(key, raw, sha256)[:PREFIX_BYTES]
    # The hash of RFC 9497 to the group, which the key multiplies.
    yield blind_with(digits.encode(), (1).to_bytes(32, "little"))[0][:PREFIX_BYTES]
    yield rbcl.crypto_scalarmult_ristretto255_base(int(digits).to_bytes(32, "little"))[:PREFIX_BYTES]


def decoded(raw: bytes) -> Iterator[bytes]:
    """The bytes of a file, and what its runs of hexadecimal and base64 stand for, wherever those begin."""
    yield raw
    for run in HEX_RUN.findall(raw):
        for start in (0, 1):
            even = (len(run) - start) // 2 * 2
            yield bytes.fromhex(run[start : start + even].decode())
    for run in BASE64_RUN.findall(raw):
        text = run.replace(b"-", b"+").replace(b"_", b"/")
        for start in range(4):
            whole = (len(text) - start) // 4 * 4
            yield base64.b64decode(text[start : start + whole])


def found_in(wanted: frozenset[bytes], raw: bytes) -> bool:
    return any(
        part[at : at + PREFIX_BYTES] in wanted
        for part in decoded(raw)
        for at in range(len(part) - PREFIX_BYTES + 1)
    )


@pytest.mark.slow
@pytest.mark.timeout(SLOW_TIMEOUT_S)
def test_with_the_store_and_no_key_a_sample_of_bsns_cannot_be_confirmed(demo: Demo) -> None:
    residents = demo.told["bsns"]
    tried = [*residents, *islice(valid_bsns(9), SAMPLE)]
    wanted = frozenset(guess for digits in tried for guess in guesses(digits))
    assert len(wanted) > 20 * SAMPLE
    written = contents(demo)
    assert sum(map(len, written.values())) > 500_000
    assert [name for name, raw in written.items() if found_in(wanted, raw)] == []
    # And it would be found: one hash of a resident's BSN, in hexadecimal in the middle of a line.
    digest = sha256(residents[0].encode())
    assert found_in(wanted, f'{{"k":"x{digest.hexdigest()}"}}'.encode())
    assert found_in(wanted, b"k=" + base64.b64encode(b"." + digest.digest()))
