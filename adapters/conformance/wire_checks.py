"""What was said on the wire, written in logs and left on the disk: looked at when all else was tried.

Promises: a finding names the rpc or the place and the form, never the number.
"""

from __future__ import annotations

import re
from base64 import b64decode, urlsafe_b64decode
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Final, TypeVar

import jwt
from cryptography.exceptions import InvalidSignature

from adapters.conformance.bench import Failed, NotTried
from adapters.conformance.recording import SUBSCRIBE, is_command
from adapters.sdk.line import PERSON_KEY
from adapters.sdk.signing import SIGNATURE_KEY
from exchange.v1.resident_rights_service_pb2 import RestrictionChange

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from adapters.conformance.bench import Bench
    from adapters.conformance.people import Subject
    from adapters.conformance.recording import Call

_RIGHTS: Final = "/exchange.v1.ResidentRightsService"
CONFIRM: Final = f"{_RIGHTS}/ConfirmPurge"
ANSWERED: Final = {
    "restriction": (f"{_RIGHTS}/ListRestrictions", f"{_RIGHTS}/ConfirmRestriction"),
    "rectification": (f"{_RIGHTS}/ListRectifications", f"{_RIGHTS}/ConfirmRectification"),
}
_Made = TypeVar("_Made")
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


def restriction(bench: Bench) -> str:
    """Require that a restriction is carried out and confirmed, and its lifting too; or is for a person."""
    withdraws = bench.contract.event is not None and bench.contract.event.withdraws
    # What happens may happen once to a plan: it is taken, or lies there until nobody may take it.
    subject = bench.done() if withdraws else _got(bench)
    lying = _lying(bench, subject) if withdraws else frozenset()
    restriction_id = _while_stopped(bench, lambda: bench.people.restrict(subject))
    _require_change(bench, restriction_id, RestrictionChange.RESTRICTION_CHANGE_RESTRICTED)
    if lying and not bench.wait(lambda: not _there(bench) & lying):
        raise Failed("what was told of a plan that is restricted now is still in reach")
    _while_stopped(bench, lambda: bench.people.lift(subject, restriction_id))
    _require_change(bench, restriction_id, RestrictionChange.RESTRICTION_CHANGE_LIFTED)
    if not bench.wait(lambda: lying <= _there(bench)):
        raise Failed("what was told of a plan is not back in reach after a restriction of it was lifted")
    held = "out of reach" if lying else "nothing to hold back"
    return _said(bench, "restriction", f"confirmed, and so was its lifting; {held} meanwhile")


def _lying(bench: Bench, subject: Subject) -> frozenset[str]:
    """Let something be told that nobody takes yet."""
    before = _there(bench)
    bench.people.happen(subject)
    if not bench.wait(lambda: _there(bench) > before):
        raise Failed("an event was not told")
    return _there(bench) - before


def _there(bench: Bench) -> frozenset[str]:
    return (
        frozenset() if bench.contract.event is None else bench.adapter.matching(bench.contract.event.output)
    )


def _require_change(bench: Bench, restriction_id: str, change: RestrictionChange.ValueType) -> None:
    _require_answer(
        bench,
        "restriction",
        lambda one: (one.restriction_id, one.change) == (restriction_id, change),
        f"what was {RestrictionChange.Name(change).rpartition('_')[2].lower()}",
    )


def rectification(bench: Bench) -> str:
    """Require that what was rectified is confirmed to be put right, or not kept; or is for a person."""
    subject = _got(bench)
    name = _while_stopped(bench, lambda: bench.people.rectify(subject))
    _require_answer(bench, "rectification", lambda one: one.rights_request_id == name, "what was rectified")
    return _said(bench, "rectification", "confirmed after a start")


def _said(bench: Bench, kind: str, confirmed: str) -> str:
    if kind in bench.contract.elsewhere:
        return "not asked about, as it declares: others of its organisation answer"
    return "asked about, and left to a person" if kind in bench.contract.for_a_person else confirmed


def _got(bench: Bench) -> Subject:
    """Return somebody of whose plan the adapter got something, where it follows plans."""
    subject = bench.done()
    if bench.contract.event is not None:
        before = bench.outputs()
        bench.people.happen(subject)
        bench.require_outputs(before, 1, "one event")
    return subject


def _while_stopped(bench: Bench, act: Callable[[], _Made]) -> _Made:
    bench.adapter.stop()
    try:
        return act()
    finally:
        bench.asked_before = len(bench.recording.calls())
        bench.adapter.start()


def _require_answer(bench: Bench, kind: str, answers: Callable[[Any], bool], what: str) -> None:
    """Wait until it was asked about, and answered: as far as the adapter does not leave that to others."""
    listing, confirming = ANSWERED[kind]

    def since(path: str) -> list[Call]:
        return [one for one in bench.recording.calls()[bench.asked_before :] if one.path == path]

    def confirmed() -> bool:
        return any(one.answered and answers(one.asked) for one in since(confirming))

    asks = kind not in bench.contract.elsewhere
    if asks and not bench.wait(lambda: any(one.answered for one in since(listing))):
        raise Failed(f"{what} was not asked about within {bench.contract.patience_s:g} s of a start")
    if asks and kind not in bench.contract.for_a_person:
        if not bench.wait(confirmed):
            raise Failed(f"{what} was not confirmed within {bench.contract.patience_s:g} s of a start")
        return
    bench.done()
    if since(confirming) or (not asks and since(listing)):
        raise Failed(f"{what} is for others, as it declares, and it asked about it or answered it itself")


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
