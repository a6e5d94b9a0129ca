"""Erasing at the keyboard, with the service stopped; and what there is to tell of keys and erasures.

Promises: the same gate, the same three persons with tokens of their own, the same events and receipts as over
the wire, each command under the organisation's signature. What nobody could approve is not proposed; what
waits since a call that did not come to its end is gone on with. What was decided and not yet carried out is
carried out, as at every start. Looking changes nothing.
Source: GDPR 17; the design of the ledger, section 5.
"""

from __future__ import annotations

from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from exchange.domain import stream_of
from exchange.domain.erasure.decision import ApproveErasure, ProposeErasure
from exchange.domain.limits.seals import person_of
from exchange.domain.resident import RESIDENT
from exchange.errors import CallerUnknown, ExchangeError, RuleBroken, SettingsInvalid
from exchange.keys.keystore import KeyStore
from exchange.ledger.checkpoints import CheckpointStore
from exchange.pipeline.erasure import EXECUTED, Holdings, is_waiting, steps_of_approving
from exchange.pipeline.walk import CommandOutcome, CommandWalk, Steps
from exchange.projections.follower import catch_up
from exchange.server.contract.certificates import statement_of, statement_text
from exchange.server.contract.names import enum_names
from exchange.server.walks import claim_of, content_of
from exchange.store.codec import Codec
from exchange.v1 import common_pb2
from exchange.v1 import resident_rights_service_pb2 as pb
from exchange.wiring.core import fresh_uuid, open_core, refuse_no_service, utc_now
from exchange.wiring.erasing import SECRET, decided_after, decided_rows
from exchange.wiring.erasure_list import ErasureList, FileLines
from exchange.wiring.holding import private_files
from exchange.wiring.kek import open_kek
from exchange.wiring.keyboard import person_at
from exchange.wiring.places import (
    checkpoint_place,
    erasure_file,
    erasure_lines,
    has_signed,
    held_keys,
    key_place,
)
from exchange.wiring.published import published_receipt
from exchange.wiring.standing_still import standing_still
from exchange.wiring.stores import open_reader, refuse_no_events

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from datetime import datetime
    from pathlib import Path

    from exchange.domain.erasure.decision import ErasureProposal
    from exchange.domain.kernel import Events
    from exchange.domain.resident import ResidentState
    from exchange.settings import Settings
    from exchange.wiring.core import Core
    from exchange.wiring.keyboard import Person

BASIS: Final = "ERASE-17"
SERVICE: Final = pb.DESCRIPTOR.services_by_name["ResidentRightsService"].full_name
PEOPLE: Final = 3

__all__ = [
    "Shredded",
    "Standing",
    "Wanted",
    "alone",
    "carry_out",
    "certificate",
    "decided_by",
    "people_at",
    "shred",
    "standing",
    "statement_text",
]


class Wanted(NamedTuple):
    """What is to be erased; `categories` is empty for all there is, else `kept` says why the rest stays."""

    case_id: str
    article: str
    reason: str
    categories: tuple[str, ...] = ()
    kept: tuple[str, ...] = ()


class Shredded(NamedTuple):
    """What was erased: `leaf_index` of the event that destroyed, and how many recipients are asked."""

    erasure_id: str
    leaf_index: int
    recipients: int


class Standing(NamedTuple):
    """Where keys and erasures stand. `left` are erasures that were decided and not carried out here.

    `undecided` are listed and not in the events: these came back from before. `unlisted` are in the events
    only: the list is older, and the next start appends them.
    """

    kek_id: str
    residents: int
    keys: int
    events: int
    looked_at: int
    decided: int
    listed: int
    left: tuple[str, ...]
    undecided: tuple[str, ...]
    unlisted: tuple[str, ...]

    @property
    def whole(self) -> bool:
        """Everything is carried out, and the list and the events tell of the same erasures."""
        return not (self.left or self.undecided or self.unlisted)


def shred(settings: Settings, credentials: Path, tokens_of: Sequence[str], wanted: Wanted) -> Shredded:
    """Let the first token propose, unless just this was proposed before, and the two others approve.

    Raises ExchangeError; DataFolderInUse beside a running service.
    """
    with alone(settings) as core:
        done = decided_by(core, people_at(core, credentials, tokens_of), wanted)
        core.integrator.integrate()
        return done


def people_at(core: Core, credentials: Path, tokens_of: Sequence[str]) -> list[Person]:
    """Return who proposes, and the two who approve. Raises ExchangeError."""
    if len(tokens_of) != PEOPLE:
        raise SettingsInvalid("one proposer and two approvers are asked", found=str(len(tokens_of)))
    people = [person_at(core, credentials, token) for token in tokens_of]
    # Before anything is recorded: a proposal nobody can approve would wait for somebody to refuse it.
    if len({person_of(one.author) for one in people}) != PEOPLE:
        raise SettingsInvalid("the proposer and the approvers must be three different persons")
    return people


def decided_by(core: Core, people: Sequence[Person], wanted: Wanted) -> Shredded:
    """Let the first propose, unless just this was proposed, and the others approve. Raises ExchangeError."""
    waiting = _waiting(core, wanted)
    erasure_id = waiting.erasure_id if waiting else _propose(core, people, wanted)
    before = waiting.approvers if waiting else ()
    for person in people[1:]:
        if person_of(person.author) in before:
            continue
        done = _approve(core, person, wanted.case_id, erasure_id)
        if done.ids["executed"] == EXECUTED:
            break
    assert done.ids["executed"] == EXECUTED
    return Shredded(erasure_id, done.leaf_index, int(done.ids["recipients"]))


def carry_out(settings: Settings) -> tuple[str, ...]:
    """Carry out what was decided, as the service does when it starts; return what was left to do."""
    left = standing(settings).left
    with alone(settings):
        return left


def standing(settings: Settings) -> Standing:
    """Tell where keys and erasures stand; changes nothing. Raises SettingsInvalid, KeyUnavailable."""
    refuse_no_service(settings)
    with (
        closing(KeyStore(key_place(settings), open_kek(settings))) as keys,
        closing(open_reader(settings)) as reader,
        _listed(settings, keys) as listed,
    ):
        keys.check()
        decided = {event.erasure_id for event in decided_after(reader, Codec(keys), 0)}
        known = decided | listed.entries.keys()
        residents, count = keys.count()
        return Standing(
            kek_id=keys.kek_id,
            residents=residents,
            keys=count,
            events=reader.head()[0],
            looked_at=keys.place,
            decided=len(decided),
            listed=len(listed.entries),
            left=tuple(sorted(one for one in known if not keys.has_executed(one))),
            undecided=tuple(sorted(listed.entries.keys() - decided)),
            unlisted=tuple(sorted(decided - listed.entries.keys())),
        )


@contextmanager
def _listed(settings: Settings, keys: KeyStore) -> Iterator[ErasureList]:
    secret = keys.service_secret(SECRET)
    if not settings.checkpoints_postgres or not has_signed(settings):
        yield ErasureList(FileLines(erasure_file(settings)), secret)
        return
    with closing(CheckpointStore(checkpoint_place(settings))) as checkpoints:
        yield ErasureList(erasure_lines(settings, checkpoints), secret)


def certificate(settings: Settings, erasure_id: str) -> tuple[dict[str, Any], bytes]:
    """Return the statement of an executed erasure and the published receipt of its leaf, the entry within.

    Needs no key. Raises SettingsInvalid for one that was not executed, Unavailable before its checkpoint.
    """
    refuse_no_events(settings)
    with closing(open_reader(settings)) as reader:
        for row in decided_rows(reader, 0, reader.head()[0]):
            clear, _, _ = Codec.decode_clear(row.state, stream=row.stream, topic=row.topic)
            if clear["erasure_id"] == erasure_id:
                signed, proof = published_receipt(settings, row.position - 1)
                return statement_of(row, signed.checkpoint.origin), proof
    raise SettingsInvalid("no such erasure was executed", erasure=erasure_id)


@contextmanager
def alone(settings: Settings) -> Iterator[Core]:
    """Open the shard as its service would, holding its folder."""
    refuse_no_events(settings)
    with private_files(), standing_still(settings), held_keys(settings, alone=True):
        core = open_core(settings)
        try:
            yield core
            catch_up(core.obligations, core.reader, core.codec)
            catch_up(core.records, core.reader, core.codec)
        finally:
            core.close()


def _waiting(core: Core, wanted: Wanted) -> ErasureProposal | None:
    """Return the proposal of just this that waits since an earlier call did not come to its end."""
    case = core.loader.load(stream_of("case", wanted.case_id)).state
    state = None if case is None else core.loader.load(stream_of(RESIDENT.name, case.resident)).state
    if state is None:
        return None
    asked = (wanted.article, wanted.reason, set(wanted.categories), set(wanted.kept))
    for one in state.erasures:
        if one.open_at(utc_now()) and (one.article, one.reason, set(one.categories), set(one.kept)) == asked:
            return one  # type: ignore[no-any-return] # a state is whatever its stream says
    return None


def _propose(core: Core, people: Sequence[Person], wanted: Wanted) -> str:
    """Propose what the others can approve, by all there is to know; return the id. Raises ExchangeError."""
    order = ProposeErasure(
        now=utc_now(),
        author=people[0].author,
        erasure_id=fresh_uuid(),
        article=wanted.article,
        reason=wanted.reason,
        categories=wanted.categories,
        kept=wanted.kept,
    )

    def decide(view: Any, state: ResidentState) -> Steps:  # noqa: ANN401 -- View
        events = RESIDENT.decide(order, state)
        _rehearse(core, order, events, people[1:], state=state, waiting=is_waiting(view, state.resident))
        return Steps(((stream_of(RESIDENT.name, state.resident), events),))

    keeping = enum_names(pb.KeepingReason.DESCRIPTOR)
    request = pb.ProposeErasureRequest(
        case_id=wanted.case_id,
        article=enum_names(pb.ErasureArticle.DESCRIPTOR).number(wanted.article),  # type: ignore[arg-type] # a number
        reason=enum_names(pb.ErasureReason.DESCRIPTOR).number(wanted.reason),  # type: ignore[arg-type] # a number
        categories=wanted.categories,
        kept=[keeping.number(one) for one in wanted.kept],  # type: ignore[misc] # numbers
    )
    _walked(core, people[0], order.now, request, decide)
    return order.erasure_id


def _rehearse(
    core: Core,
    order: ProposeErasure,
    events: Events,
    approvers: Sequence[Person],
    *,
    state: ResidentState,
    waiting: bool,
) -> None:
    """Raise the RuleBroken an approval would meet, while nothing is recorded that would wait for ever."""
    held = Holdings(core.reader, core.codec, state.resident, core.registers.now)
    after: Any = state
    for person in approvers:
        for event in events:
            after = RESIDENT.evolve(after, event)
        approve = ApproveErasure(
            now=order.now,
            author=person.author,
            erasure_id=order.erasure_id,
            forbidden=held.binding_terms(after.erasures[-1], order.now),
            open_duties=held.open_duties(),
            waiting=waiting,
        )
        events = RESIDENT.decide(approve, after)


def _approve(core: Core, person: Person, case_id: str, erasure_id: str) -> CommandOutcome:
    """Approve. Raises ExchangeError."""
    order = ApproveErasure(now=utc_now(), author=person.author, erasure_id=erasure_id)

    def decide(view: Any, state: ResidentState) -> Steps:  # noqa: ANN401 -- View
        held = Holdings(core.reader, core.codec, state.resident, core.registers.now)
        return steps_of_approving(order, held, view, state)

    request = pb.ApproveErasureRequest(case_id=case_id, erasure_id=erasure_id)
    return _walked(core, person, order.now, request, decide)


def _walked(
    core: Core,
    person: Person,
    now: datetime,
    request: pb.ProposeErasureRequest | pb.ApproveErasureRequest,
    decide: Callable[[Any, ResidentState], Steps],
) -> CommandOutcome:
    """Walk one step through the gate, under the organisation's signature. Raises ExchangeError."""
    case_stream, caller = stream_of("case", request.case_id), person.caller

    def process(view: Any) -> Steps:  # noqa: ANN401 -- View
        if not view.state(stream_of("organisation", caller.organisation)).operator:
            raise CallerUnknown("only the operator may do this")
        case = view.state(case_stream)
        state = None if case is None else view.state(stream_of(RESIDENT.name, case.resident))
        if state is None:
            raise RuleBroken("there is no such case", rule="NO_CASE")
        return decide(view, state)

    request.request_id = fresh_uuid()
    request.claim.purpose = common_pb2.PURPOSE_KLACHT_BEZWAAR
    request.claim.legal_basis = BASIS
    rpc = request.DESCRIPTOR.name.removesuffix("Request")
    walk = CommandWalk(
        rpc=rpc,
        caller=caller,
        claim=claim_of(request.claim),
        now=now,
        request_id=request.request_id,
        content=content_of(rpc, caller, request),
        anchor=case_stream,
        fields=(),
        process=process,
        relation=False,
        # What is found in the store is all there is.
        alone=True,
        signed=person.sign(f"/{SERVICE}/{rpc}", request.SerializeToString()),
    )
    (outcome,) = core.writer.run([walk])
    if isinstance(outcome, ExchangeError):
        raise outcome
    assert isinstance(outcome, CommandOutcome)
    return outcome
