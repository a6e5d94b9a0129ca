"""From messages to walks and back: what every service does alike.

Promises: the caller is taken from the call, never from the message; the content that a request id stands
for is the whole request, who asked, in which task and as which resident; what is kept of it is a hash that
the id itself salts, so that nobody who has the store can try what a command said.
Source: AIP-155 (request ids); RFC 9562 (122 random bits in an id); the walk.
"""

from __future__ import annotations

from functools import partial
from hashlib import sha256
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from exchange.domain.values import Author
from exchange.errors import AccessDenied
from exchange.pipeline.walk import Claim, CommandOutcome, CommandWalk, ReadOutcome, ReadWalk
from exchange.server.contract.labels import refuse_unlabelled, written_by
from exchange.server.contract.names import enum_names, set_time
from exchange.v1.common_pb2 import Purpose, Receipt

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from exchange.pipeline.elements import Groups, Label
    from exchange.pipeline.walk import Caller, Seen, Steps, View, WalkOutcome
    from exchange.server.house import Call
    from exchange.v1 import common_pb2

    # Called when an answer has left, or with why it did not.
    Left = Callable[..., None]


# Questions about one thing of one resident; all others are lists, searches and streams.
OF_ONE: Final = ("Get", "Find")
# What is found, and what is given to take along, never in an emergency: an answer whole, a proof. Else: read.
SEARCHES: Final = ("Find", "List")
TAKEN_ALONG: Final = frozenset(
    {"StreamLog", "StreamPack", "GetAccessAnswer", "GetConsentReceipt", "GetPortableCopy"}
)
# What one organisation gives another by name.
DISCLOSES: Final = frozenset({"GetIdentity"})


def action_of(rpc: str) -> str:
    """Return the action a question is recorded as, one of the gate's own words."""
    if rpc in TAKEN_ALONG:
        return "EXPORT"
    if rpc in DISCLOSES:
        return "DISCLOSE"
    return "SEARCH" if rpc.startswith(SEARCHES) else "READ"


def claim_of(claim: common_pb2.Claim) -> Claim:
    """Return what the caller claims; the three texts of necessity are one."""
    necessity = claim.necessity
    said = (necessity.text, necessity.proportionality, necessity.subsidiarity)
    glass = claim.break_glass
    return Claim(
        purpose=enum_names(Purpose.DESCRIPTOR).stored(claim.purpose),
        legal_basis=claim.legal_basis,
        necessity="\n".join(text for text in said if text),
        break_glass=(glass.code, glass.reason) if claim.HasField("break_glass") else None,
    )


def author_of(caller: Caller) -> Author:
    """Return who gives a command."""
    return Author(caller.organisation, caller.task, caller.professional, operator=caller.operator)


def content_of(rpc: str, caller: Caller, request: Any) -> bytes:  # noqa: ANN401 -- any command's message
    """Return the 32 bytes a request id stands for.

    The id is hashed with the rest, and is the salt: it stands nowhere in the store in clear, and its row is
    named by a hash of it. Without it a command that says little but a pseudonym could be tried for every BSN.
    """
    return sha256(_head(rpc, caller) + request.SerializeToString(deterministic=True)).digest()


def unsalted_content_of(rpc: str, caller: Caller, request: Any) -> bytes:  # noqa: ANN401 -- any command's message
    """Return what the store kept before the id was hashed with the rest: compared with, never written."""
    said = type(request)()
    said.CopyFrom(request)
    said.ClearField("request_id")
    return sha256(_head(rpc, caller) + said.SerializeToString(deterministic=True)).digest()


def _head(rpc: str, caller: Caller) -> bytes:
    # A professional is one token and a resident one ref: no word of them holds a line end.
    return f"{rpc}\n{caller.task}\n{caller.professional}\n{caller.resident}\n".encode()


async def command(
    call: Call,
    request: Any,  # noqa: ANN401 -- any command's message
    *,
    anchor: str,
    process: Callable[[View], Steps],
    streams: tuple[str, ...] = (),
    expected: tuple[str, int] | None = None,
    seen: Seen | None = None,
    relation: bool = True,
    fence: bool = False,
    takes_back: bool = False,
    about_consent: bool = False,
    alone: bool = False,
    fields: tuple[tuple[str, str], ...] | None = None,
    others: Callable[[View], Sequence[CommandWalk]] | None = None,
) -> CommandOutcome:
    """Walk a command. Raises ExchangeError.

    `fields` are what it writes, where that hangs on what it names rather than on the labels of its message;
    `others` are commands about others, of whom the first that is let is done along.
    """
    walk = CommandWalk(
        rpc=call.rpc,
        caller=call.caller,
        claim=claim_of(request.claim),
        now=call.now,
        request_id=request.request_id,
        content=content_of(call.rpc, call.caller, request),
        content_before=partial(unsalted_content_of, call.rpc, call.caller, request),
        anchor=anchor,
        fields=written_by(request.DESCRIPTOR).in_request(request) if fields is None else fields,
        process=process,
        streams=streams,
        expected=expected,
        seen=seen,
        relation=relation,
        fence=fence,
        trace=call.trace,
        takes_back=takes_back,
        about_consent=about_consent,
        collections=call.house.plan_groups.collections,
        alone=alone,
        signed=call.signed,
        others=others,
    )
    assert call.signed is not None, "no command passes the door without the signature of its organisation"
    outcome = await call.house.parts.pipeline.submit(walk)
    assert isinstance(outcome, CommandOutcome)
    return outcome


async def read(
    call: Call,
    request: Any,  # noqa: ANN401 -- any question's message
    *,
    anchor: str,
    labels: Mapping[str, Label],
    groups: Groups,
    capture: Callable[[View], Any],
    relation: bool = True,
    collections: Mapping[str, frozenset[str]] = MappingProxyType({}),
    beside: Callable[[View], Steps] | None = None,
    computed: bool = False,
    other: Callable[[Any], ReadWalk] | None = None,
) -> ReadOutcome:
    """Walk a question; the answer counts as on its way until the call is done. Raises ExchangeError."""
    walk = question(
        call,
        request,
        anchor=anchor,
        labels=labels,
        groups=groups,
        capture=capture,
        relation=relation,
        collections=collections,
        beside=beside,
        computed=computed,
        other=other,
    )
    return await ask(call, walk)


def question(
    call: Call,
    request: Any,  # noqa: ANN401 -- any question's message
    *,
    anchor: str,
    labels: Mapping[str, Label],
    groups: Groups,
    capture: Callable[[View], Any],
    relation: bool = True,
    collections: Mapping[str, frozenset[str]] = MappingProxyType({}),
    beside: Callable[[View], Steps] | None = None,
    computed: bool = False,
    other: Callable[[Any], ReadWalk] | None = None,
) -> ReadWalk:
    """Return a question as it is walked. Raises RequestInvalid for a path without a label."""
    return ReadWalk(
        rpc=call.rpc,
        caller=call.caller,
        claim=claim_of(request.claim),
        now=call.now,
        anchor=anchor,
        fields=refuse_unlabelled(request.fields, labels),
        groups=groups,
        capture=capture,
        allow_partial=getattr(request, "allow_partial", False),
        relation=relation,
        trace=call.trace,
        action=action_of(call.rpc),
        bulk=call.rpc in TAKEN_ALONG or not call.rpc.startswith(OF_ONE),
        collections=collections,
        beside=beside,
        computed=computed,
        other=other,
    )


async def ask_about_nobody(
    call: Call,
    request: Any,  # noqa: ANN401 -- a message with a claim
    capture: Callable[[View], Any] = lambda _view: None,
) -> ReadOutcome:
    """Submit a question that is about no resident: recorded, and answered from a read model."""
    walk = ReadWalk(
        rpc=call.rpc,
        caller=call.caller,
        claim=claim_of(request.claim),
        now=call.now,
        anchor="",
        fields=(),
        groups=lambda _view, _paths: (),
        capture=capture,
        relation=False,
        trace=call.trace,
    )
    return await ask(call, walk)


async def ask(call: Call, walk: ReadWalk) -> ReadOutcome:
    """Submit a question. Nothing may be awaited between the outcome and this mark of its answer.

    An answer that does not leave after all is recorded behind the decision: at the end of the call it is said
    whether it did.
    """
    pipeline = call.house.parts.pipeline
    outcome = await pipeline.submit(walk)
    assert isinstance(outcome, ReadOutcome)
    call.at_end.append(pipeline.answering(outcome, walk))
    if outcome.beside is not None:
        other, given = outcome.beside
        call.at_end.append(pipeline.answering(given, other))
    return outcome


async def ask_all(call: Call, walks: Sequence[ReadWalk]) -> list[tuple[ReadOutcome, Left] | None]:
    """Submit questions at once; return what is given of each and the mark of its answer, None of nothing.

    Each answer counts as on its way from the moment it is told; one that gives nothing never does: a
    withdrawal that waited for it would tell by its time that something is hidden. Raises the first
    ExchangeError that is no refusal, once all of them ended.
    """
    pipeline = call.house.parts.pipeline
    given: list[tuple[ReadOutcome, Left] | None] = [None] * len(walks)
    failed: list[BaseException] = []

    def take(number: int, told: WalkOutcome | BaseException) -> None:
        if isinstance(told, ReadOutcome):
            if told.gives:
                mark = pipeline.answering(told, walks[number])
                call.at_end.append(mark)
                given[number] = told, mark
        elif not isinstance(told, AccessDenied):
            assert isinstance(told, BaseException), "a question is answered as one"
            failed.append(told)

    await pipeline.submit_all(walks, take)
    if failed:
        raise failed[0]
    return given


def given_paths(outcome: ReadOutcome) -> frozenset[str]:
    """Return the paths of which something may leave."""
    return frozenset(group.path for group in outcome.groups if group.fact.name in outcome.released)


def receipt(outcome: CommandOutcome) -> Receipt:
    """Return what the caller keeps."""
    told = Receipt(
        position=outcome.position,
        leaf_index=outcome.leaf_index,
        leaves=outcome.leaves,
        leaf_entry=outcome.leaf_entry,
        decision_id=outcome.decision_id,
    )
    set_time(told.record_time, outcome.at)
    return told
