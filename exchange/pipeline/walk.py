"""What goes into the walk and what comes out of it; knows neither gRPC nor SQL.

Promises: nothing here is trusted from a message about who the caller is: `Caller` is built from the
certificate and the signed person token only.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime  # noqa: TC003 -- msgspec reads the annotations of its structs at run time
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Protocol

import msgspec

from exchange.domain import stream_of
from exchange.domain.kernel import quickly_made

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Mapping, Sequence

    from exchange.domain.kernel import Event
    from exchange.gate.model import Field, Verdict
    from exchange.ledger.leaf import Signed
    from exchange.pipeline.past_plans import Past

LOST: Final = "lost"
LOOK: Final = "look"


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks. `resident` is set only when the person speaks as that resident (a random ref)."""

    organisation: str
    task: str
    professional: str
    role: str
    thumbprint: str
    two_factor: bool
    mutual_tls: bool
    resident: str = ""
    authenticated_at: int = 0  # seconds since 1970 at which the person showed both factors; 0 is unknown
    operator: bool = False  # the organisation is the municipality that runs this exchange

    @property
    def recipient_id(self) -> str:
        """The recipient a consent names: organisation and task."""
        return f"{self.organisation}/{self.task}"


@dataclass(frozen=True, slots=True)
class Claim:
    """What the caller claims; `necessity` is one text, empty where none was given."""

    purpose: str
    legal_basis: str
    necessity: str = ""
    break_glass: tuple[str, str] | None = None  # (code, reason)


class View(Protocol):
    """Folded state as of this walk, effects of the walks before it in the group included."""

    def state(self, stream: str) -> Any:  # noqa: ANN401 -- each aggregate has its own state class
        """Return the folded state, None where the stream is empty."""

    def version(self, stream: str) -> int:
        """Return the version, 0 where the stream is empty."""

    def scope(self, resident: str) -> tuple[str, ...]:
        """Return the streams linked to a resident."""

    def derive(self, stream: str, name: Hashable, make: Callable[[dict[str, Any]], Any]) -> Any:  # noqa: ANN401 -- whatever is made
        """Return what is made of a stream's state; perhaps made before, where the state is still the same.

        `stream` may name a resident's scope (`scope-<resident>`): then of his consents too. `name` says what
        is made, and for whom. `make` is given a memory that outlives the state: for what it makes of parts.
        """


@dataclass(frozen=True, slots=True)
class Steps:
    """What a command does: events per stream in order, and ids the answer repeats.

    `unseen` are events about whom its caller is not shown: recorded first, and no part of what he is told was
    recorded.
    """

    appends: Sequence[tuple[str, Sequence[Event]]]
    ids: Mapping[str, str] = field(default_factory=dict)
    unseen: Sequence[tuple[str, Sequence[Event]]] = ()


@quickly_made
@dataclass(frozen=True, slots=True, kw_only=True)
class CommandWalk:
    """A command.

    `anchor` is the stream whose state names the resident (plan, case, consent or resident); empty for
    administration. `fields` are the (name, category) pairs being written. `relation` tells whether an active
    case relation is asked. `fence` makes the answer wait until every earlier answer about the resident left.
    `takes_back` is a no or a withdrawal: it never asks more of who speaks than giving did. `about_consent`
    is a question for a consent or what is said to it: it uses nothing of the resident's. `collections`
    are those of a question: a command is decided on what its caller sees of a plan. `alone` begins a group
    with nothing being committed under it, so that what it reads in the store is all there is. `signed` is
    what the organisation signed, verified before: it is no part of `content`. `content_before` is what
    older stores kept as `content` of the same command: a repeat is known by either, only `content` is kept.
    `seen` is what of a plan the caller saw, where he says that instead of a version.
    """

    rpc: str
    caller: Caller
    claim: Claim
    now: datetime
    request_id: str
    content: bytes
    anchor: str
    fields: tuple[tuple[str, str], ...]
    process: Callable[[View], Steps]
    streams: tuple[str, ...] = ()
    expected: tuple[str, int] | None = None
    seen: Seen | None = None
    relation: bool = True
    fence: bool = False
    takes_back: bool = False
    about_consent: bool = False
    collections: Mapping[str, frozenset[str]] = field(default_factory=dict)
    alone: bool = False
    trace: str = ""
    signed: Signed | None = None
    content_before: Callable[[], bytes] = bytes  # of a repeat that is not `content` only
    # Commands about others, of whom the first that is let is done along; the last is about nobody.
    others: Callable[[View], Sequence[CommandWalk]] | None = None

    @property
    def records(self) -> bool:
        """Something is recorded about the resident."""
        return True


@dataclass(frozen=True, slots=True)
class Group:
    """Elements of one asked path that share what the gate must know of them.

    `apart` are rows beside the caller's own in a list: judged and recorded as all are, but to who may not see
    them they are not there. They make no answer partial, and no refusal tells of them.
    """

    path: str
    fact: Field  # its name is the path, or the path with category and origin where a path has several groups
    origin: str = ""  # of the elements: task and organisation
    apart: bool = False


@quickly_made
@dataclass(frozen=True, slots=True, kw_only=True)
class ReadWalk:
    """A question. `groups` finds what the asked paths hold in the folded state; it never filters by right."""

    rpc: str
    caller: Caller
    claim: Claim
    now: datetime
    anchor: str
    fields: tuple[str, ...]
    groups: Callable[[View, tuple[str, ...]], Sequence[Group]]
    capture: Callable[[View], Any]
    action: str = "READ"
    allow_partial: bool = False
    relation: bool = True
    delivered_later: bool = False
    streams: tuple[str, ...] = ()
    # Asks for more than one thing of one resident, unless the door says that it does not.
    bulk: bool = True
    # Leaf paths of each collection of the anchor's state: where all of them are sealed it is as if empty.
    collections: Mapping[str, frozenset[str]] = field(default_factory=dict)
    # A change, of one collection or the anchor itself (empty): told with a released leaf of that, or not.
    change_of: str | None = None
    # Of that part the leaves that changed, where it is told with one of these alone.
    leaves_changed: frozenset[str] = frozenset()
    # What the anchor was, where it is asked about the past: rights are of now, what is told is of then.
    past: Past | None = None
    # What a permitted question records beside its own decision, in one commit: that a notice was fetched.
    beside: Callable[[View], Steps] | None = None
    # A question about another, asked along once this one is answered: of what was captured it is made.
    other: Callable[[Any], ReadWalk] | None = None
    # The answer is computed of what is captured and copies none of it: sealed leaves are blank in it too.
    computed: bool = False
    trace: str = ""

    @property
    def records(self) -> bool:
        """Nothing is recorded about the resident but that it was asked."""
        return False


@dataclass(frozen=True, slots=True)
class Seen:
    """The parts of a plan a command rests on, and the question they were read by, as it is judged now.

    `moved` tells whether any of them changed, of what the view shows and but for sealed paths: where none
    did, nothing is judged. `told` finds the changes in what the question released; where there are none,
    nothing is told and nothing recorded.
    """

    question: ReadWalk
    moved: Callable[[View, frozenset[str]], bool]
    told: Callable[[ReadOutcome], Sequence[Any]]


class Differs(NamedTuple):
    """What changed since a command's caller looked, as the recorded question told it."""

    outcome: ReadOutcome
    changes: Sequence[Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluationWalk:
    """A question about a right: may `caller` do this? Who asks it is `asker`; nothing is released.

    `evaluated` is the question as it was put, plain values for the record. `understood` tells whether the
    exchange has a word for everything it names. `takes_back` is that of the command it asks about: told "no"
    beforehand, a screen would hide the very withdrawal that never fails.
    """

    rpc: str
    asker: Caller
    caller: Caller
    claim: Claim
    now: datetime
    anchor: str
    fields: tuple[str, ...]
    groups: Callable[[View, tuple[str, ...]], Sequence[Group]]
    evaluated: Mapping[str, Any]
    understood: bool = True
    records: bool = False
    allow_partial: bool = False
    relation: bool = True
    delivered_later: bool = False
    takes_back: bool = False
    about_consent: bool = False
    streams: tuple[str, ...] = ()
    collections: Mapping[str, frozenset[str]] = field(default_factory=dict)
    trace: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class LostAnswer:
    """An answer that was permitted and did not arrive; `reason` is one of AbortReason.

    `apart` says that its leaf is none the resident's own key finds.
    """

    caller: Caller
    now: datetime
    resident: str
    decision_id: str
    purpose: str
    legal_basis: str
    policy_hash: str
    facts_position: int
    reason: str
    apart: bool
    trace: str = ""
    rpc: str = LOST
    streams: tuple[str, ...] = ()

    @property
    def anchor(self) -> str:
        """The stream whose state is the resident."""
        return stream_of("resident", self.resident)


@dataclass(frozen=True, slots=True, kw_only=True)
class LookWalk:
    """A look at how far the store is: what is answered without being recorded is answered after one.

    It names nobody and writes nothing; what another node wrote before it is known here when it ends.
    """

    now: datetime
    rpc: str = LOOK


Walk = CommandWalk | ReadWalk | EvaluationWalk
AnyWalk = Walk | LostAnswer | LookWalk


class CommandOutcome(msgspec.Struct, frozen=True):
    """What a command recorded; stored as the answer to its request id, so it holds no personal data."""

    position: int
    leaf_index: int
    leaves: int
    at: datetime
    decision_id: str
    versions: dict[str, int]
    ids: dict[str, str]
    leaf_entry: bytes = b""


class RefusalOutcome(msgspec.Struct, frozen=True):
    """A refusal by the gate, stored as the answer to its request id."""

    decision_id: str
    rules: tuple[str, ...]
    explanation: str
    remedies: tuple[str, ...]
    obligations: tuple[str, ...]


class StoredAnswer(msgspec.Struct, frozen=True):
    """One of the two."""

    done: CommandOutcome | None = None
    refused: RefusalOutcome | None = None


@quickly_made
@dataclass(frozen=True, slots=True, kw_only=True)
class ReadOutcome:
    """A permitted answer before it is built: released group names and the state they are copied from."""

    decision_id: str
    position: int
    released: frozenset[str]
    groups: Sequence[Group]
    captured: Any
    verdict: Verdict
    withheld_paths: tuple[str, ...]
    rules: tuple[str, ...]
    obligations: tuple[str, ...]
    resident: str
    hidden: frozenset[str] = frozenset()  # collections that are sealed to the caller
    gives: bool = True  # whether the caller gets to see any of it: a change of what is hidden did not happen
    links: frozenset[str] = frozenset()  # recipients of whom he is not shown that they are on the case
    valid_until: datetime | None = None  # of a permit that ends: what was given is not used after it
    beside: tuple[ReadWalk, ReadOutcome] | None = None  # what was asked along about another, and given


@dataclass(frozen=True, slots=True)
class EvaluationOutcome:
    """What who asked about a right may know: as if no seal existed, and alike for what does not exist."""

    decision: bool
    decision_id: str
    position: int
    rules: tuple[str, ...]
    explanation: str
    remedies: tuple[str, ...]
    withheld_paths: tuple[str, ...]
    resident: str


@dataclass(frozen=True, slots=True)
class Recorded:
    """It was recorded, or there was nobody left to record it of."""

    position: int


WalkOutcome = CommandOutcome | ReadOutcome | EvaluationOutcome | Recorded
