"""Answers by request id: same id and content, same answer, also after a restart; other content, refused.

Promises: whether an id was answered lately is known from memory; the answer itself is kept by the store, and
read there by the few who ask again, when a walk is refused, or when the store says that an id is taken, so
that the common command pays nothing. Source: AIP-155.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, Final

import msgspec
from msgspec.structs import replace

from exchange.errors import AccessDenied, ExchangeError, RequestIdReused
from exchange.pipeline.walk import CommandOutcome, RefusalOutcome, StoredAnswer

if TYPE_CHECKING:
    from exchange.pipeline.walk import CommandWalk
    from exchange.store.ports import EventReader, EventRecorder

RECENT_ANSWERS_MAX: Final = 10_000

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(StoredAnswer).decode
_Name = tuple[str, str]
_Kept = tuple[bytes, StoredAnswer]  # (content, answer)
Noted = dict[_Name, _Kept]


class Answers:
    """Recorded answers: of the newest the ids in memory. Owned by the writer thread.

    Answers of a group are tentative, in a dictionary of its own, until it is committed and settled. From then
    on only its ids stay: an answer with its leaf takes more than two kilobytes.
    """

    def __init__(self, reader: EventReader, recorder: EventRecorder) -> None:
        self._reader = reader
        self._recorder = recorder
        self._recent: OrderedDict[_Name, None] = OrderedDict()
        self._tentative: list[Noted] = []  # of groups not settled yet, the one being walked last

    def lately(self, walk: CommandWalk) -> CommandOutcome | ExchangeError | None:
        """Return the answer if this id was answered lately, by this or an earlier walk of the group.

        Raises StoreUnavailable.
        """
        name = (walk.caller.organisation, walk.request_id)
        for noted in self._tentative:
            if name in noted:
                return _told(walk, *noted[name])
        # What is known here was acknowledged, and lasts.
        return self._stored(walk) if name in self._recent else None

    def recorded(self, walk: CommandWalk) -> CommandOutcome | ExchangeError | None:
        """Return the answer wherever it stands. Raises StoreUnavailable."""
        found = self.lately(walk)
        if found is not None:
            return found
        found = self._stored(walk)
        if found is not None:
            # Whoever recorded it may never have been told that it lasts.
            self._recorder.settle()
        return found

    def note(self, walk: CommandWalk, answer: StoredAnswer) -> None:
        """Remember an answer of the group being walked."""
        self._tentative[-1][walk.caller.organisation, walk.request_id] = (walk.content, answer)

    def start(self) -> Noted:
        """Begin a group; return where its answers are noted."""
        noted: Noted = {}
        self._tentative.append(noted)
        return noted

    def keep(self, noted: Noted) -> None:
        """Keep what was noted of a group: it was committed."""
        self._recent.update(dict.fromkeys(noted))
        self._tentative = [one for one in self._tentative if one is not noted]
        while len(self._recent) > RECENT_ANSWERS_MAX:
            self._recent.popitem(last=False)

    def drop(self, noted: Noted | None = None) -> None:
        """Forget what was noted of one group, or of all: they were not committed."""
        self._tentative = [] if noted is None else [one for one in self._tentative if one is not noted]

    def _stored(self, walk: CommandWalk) -> CommandOutcome | ExchangeError | None:
        stored = self._reader.answer(walk.caller.organisation, walk.request_id)
        return None if stored is None else _told(walk, stored[0], self._whole(_decode(stored[1])))

    def _whole(self, answer: StoredAnswer) -> StoredAnswer:
        """Return the answer with its leaf entry."""
        done = answer.done
        if done is None or not done.leaves:
            return answer
        (entry,) = self._reader.leaf_entries(done.leaf_index, done.leaf_index + 1)
        return StoredAnswer(done=replace(done, leaf_entry=entry))


def stored_form(answer: StoredAnswer) -> bytes:
    """Return the bytes an answer is stored as; it has no leaf yet."""
    return _encode(answer)


def refusal_error(refused: RefusalOutcome) -> AccessDenied:
    """Return the error a recorded refusal is answered with."""
    return AccessDenied(
        "the gate refused this",
        rules=refused.rules,
        decision_id=refused.decision_id,
        explanation=refused.explanation,
        remedies=refused.remedies,
        obligations=refused.obligations,
    )


def _told(walk: CommandWalk, content: bytes, answer: StoredAnswer) -> CommandOutcome | ExchangeError:
    if content != walk.content and content != walk.content_before():
        return RequestIdReused("this request id was used for other content")
    if answer.done is not None:
        return answer.done
    assert answer.refused is not None
    return refusal_error(answer.refused)
