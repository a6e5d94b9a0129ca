"""What was said on the wire, written in logs and left on the disk: looked at when all else was tried.

Promises: a finding names the rpc or the place and the form, never the number.
"""

from __future__ import annotations

import re
from base64 import b64decode, urlsafe_b64decode
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Final

import jwt
from cryptography.exceptions import InvalidSignature

from adapters.conformance.bench import Failed, NotTried
from adapters.conformance.recording import SUBSCRIBE, is_command
from adapters.sdk.line import PERSON_KEY
from adapters.sdk.signing import SIGNATURE_KEY

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from adapters.conformance.bench import Bench
    from adapters.conformance.recording import Call

CONFIRM: Final = "/exchange.v1.ResidentRightsService/ConfirmPurge"
_in_token = re.compile(r"[A-Za-z0-9_-]{8,}").findall


def purge(bench: Bench) -> str:
    """Require that what the exchange asks to erase is confirmed to it."""
    subject = bench.done()
    bench.adapter.stop()
    erasure_id = bench.people.erase(subject)
    bench.adapter.start()

    def confirmed() -> bool:
        calls = bench.recording.calls(CONFIRM)
        return any(one.answered and one.asked.erasure_id == erasure_id for one in calls)

    if not bench.wait(confirmed):
        raise Failed(f"an erasure was not confirmed within {bench.contract.patience_s:g} s of a start")
    bench.erased = subject
    return "confirmed after a start"


def erasure(bench: Bench) -> str:
    """Require that nothing of who was erased is left on the adapter's own disk."""
    if bench.erased is None:
        raise NotTried("no erasure was confirmed, see purge")
    # What is written beside a database goes into it, or away, when it is closed.
    bench.adapter.stop()
    try:
        forms = dict(bench.forms())[bench.erased.bsn.reveal()]
        for file in _files(bench.adapter.home):
            content = file.read_bytes()
            form = forms.found_in(content)
            if form:
                raise Failed(f"{_shown(bench, file)} still holds the BSN of who was erased ({form})")
            if bench.erased.plan_id.encode() in content:
                raise Failed(f"{_shown(bench, file)} still holds the plan of who was erased")
    finally:
        bench.adapter.start()
    return "no BSN and no plan of who was erased on its disk"


def bsn_on_the_wire(bench: Bench) -> str:
    """Require that no request and no header holds a BSN in a form from which it can be read back."""
    calls = bench.recording.calls()
    for digits, forms in bench.forms():
        for call in calls:
            form = forms.found_in_message(call.request, digits)
            if form:
                raise Failed(f"{call.name}: a request holds a BSN ({form})")
            for key, value in call.metadata:
                form = next(filter(None, map(forms.found_in, _readable(value))), "")
                if form:
                    raise Failed(f"{call.name}: the header {key} holds a BSN ({form})")
    return f"{len(calls)} requests about {len(bench.subjects)} residents"


def bsn_in_logs(bench: Bench) -> str:
    """Require that what it prints, errors among it, holds no BSN."""
    for file in _files(bench.adapter.logs):
        content = file.read_bytes()
        if any(forms.found_in(content) for _, forms in bench.forms()):
            raise Failed(f"{file.name} holds a BSN")
    return "no BSN in what it printed"


def bsn_on_disk(bench: Bench) -> str:
    """Require that no file name holds a BSN, and no file outside what it declares."""
    declared = [bench.adapter.home / one for one in bench.contract.holds_bsn]
    for file in _files(bench.adapter.home):
        name = str(file.relative_to(bench.adapter.home)).encode()
        content = b"" if any(file.is_relative_to(one) for one in declared) else file.read_bytes()
        for _, forms in bench.forms():
            if forms.found_in(name):
                raise Failed("the name of a file holds a BSN")
            form = forms.found_in(content)
            if form:
                raise Failed(f"{_shown(bench, file)} holds a BSN ({form})")
    return f"none in names, and in files of {', '.join(bench.contract.holds_bsn) or 'nowhere'} only"


def signature(bench: Bench) -> str:
    """Require that every command is signed by the registered key, over the bytes that were sent."""
    commands = [one for one in bench.recording.calls() if is_command(one.path)]
    if not commands:
        raise NotTried("it gave no command")
    key = bench.credentials.signing_key.public_key()
    for call in commands:
        try:
            key.verify(b64decode(call.header(SIGNATURE_KEY), validate=True), _statement(call))
        except (InvalidSignature, ValueError, jwt.InvalidTokenError, KeyError):
            raise Failed(f"{call.name}: a command without a signature that holds") from None
    return f"{len(commands)} commands"


def deadline(bench: Bench) -> str:
    """Require that every call has a time limit; a stream has its heartbeats."""
    calls = [one for one in bench.recording.calls() if one.path != SUBSCRIBE]
    without = sorted({one.name for one in calls if one.deadline_s is None})
    if without:
        raise Failed(f"without a time limit: {', '.join(without)}")
    return f"{len(calls)} calls"


def _statement(call: Call) -> bytes:
    claims: dict[str, Any] = jwt.decode(call.header(PERSON_KEY), options={"verify_signature": False})
    head = f"exchange.v1 request\n{call.path}\n{claims['sub']}\n".encode()
    request = sha256(head + call.request).hexdigest()
    return f"exchange.v1 command\n{claims['iss']}\n{claims['task']}\n{request}\n".encode()


def _readable(value: str | bytes) -> Iterator[bytes]:
    """Yield a header's value, and what its parts hold in base64: a token is not secret, only signed."""
    text = value if isinstance(value, str) else value.decode("latin-1")
    yield text.encode()
    for part in _in_token(text):
        try:
            yield urlsafe_b64decode(part + "=" * (-len(part) % 4))
        except ValueError:
            continue


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def _shown(bench: Bench, file: Path) -> str:
    """Return a file's place, without digits: its name may be what is wrong with it."""
    return re.sub(r"[0-9]+", "#", str(file.relative_to(bench.adapter.home)))
