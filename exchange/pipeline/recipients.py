"""Who got fields of a resident's plan, and whether his side was answered: from the decisions recorded before.

Promises: every decision is looked at, however old; who got nothing of these fields is told of none; the
resident's side and officers are no recipients to be told. Whom its caller is not shown is told all the same,
apart from what he is told: from the resident's side, also who got it for an investigation alone.
Source: GDPR 4(9), 12(3), 18, 19; Wmo 2015 5.2.6 and 5.3.1.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from exchange.domain import stream_of
from exchange.domain.disclosure import DisclosureDecided
from exchange.domain.erasure.purge import ErasurePurgeRequested
from exchange.domain.limits.scope import in_scope
from exchange.domain.obligations import COMMAND, EVALUATE, Asked, Duty, is_deferred
from exchange.domain.rights.recipients import RightsRecipientTold, ToTell
from exchange.domain.rights.restricting import Reached, RestrictionRecipientTold
from exchange.gate.model import Outcome
from exchange.pipeline.facts import OWN_WORDS, PLAN_PREFIX

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator
    from datetime import datetime

    from exchange.domain.kernel import Event, Events
    from exchange.domain.values import Author
    from exchange.pipeline.walk import View
    from exchange.store.codec import Codec
    from exchange.store.ports import EventReader

ROWS_PER_PAGE: Final = 1_000
NEWEST: Final = 2**62
_NOT_TOLD: Final = OWN_WORDS | {"fg"}
_GAVE: Final = frozenset({Outcome.PERMIT, Outcome.PARTIAL})
_GIVES_NOTHING: Final = frozenset({COMMAND, EVALUATE})
_TOLD: Final = (RightsRecipientTold, RestrictionRecipientTold, ErasurePurgeRequested)


class Wrong(NamedTuple):
    """One element that said something wrong, since it was recorded."""

    category: str
    origin: str
    recorded: datetime

    def among(self, decided: DisclosureDecided) -> Iterator[str]:
        """Return the released names behind which it can have been: a group names its category and origin."""
        if decided.at < self.recorded:
            return
        own = f"[{self.category}|{self.origin}"
        yield from (name for name in decided.released if "[" not in name or own in name)


def recipients_of(
    reader: EventReader,
    codec: Codec,
    view: View,
    resident: str,
    paths: Collection[str],
    *,
    but: Author,
    of: Wrong | None = None,
) -> tuple[ToTell, ...]:
    """Return every recipient one of these leaf paths was released to, with the plans, in order.

    `but` is who rectified: he knows. `of` narrows it to those who can have got one element.
    """
    plans = _plans_of(view, resident)
    told: dict[tuple[str, str], tuple[set[str], set[str]]] = {}
    for decided in _decisions(reader, codec, stream_of("disclosure", resident)):
        who = (decided.organisation, decided.task)
        gives = decided.action not in _GIVES_NOTHING and decided.task not in _NOT_TOLD
        names = decided.released if of is None else of.among(decided)
        got = {name.partition("[")[0] for name in names}.intersection(paths)
        if gives and got and who != (but.oin, but.task):
            of_plans, of_paths = told.setdefault(who, (set(), set()))
            # Asked by the case: of whichever plan of his it was.
            of_plans |= {decided.subject} & plans or plans
            of_paths |= got
    return tuple(
        ToTell(*who, tuple(sorted(of_plans)), tuple(sorted(of_paths)))
        for who, (of_plans, of_paths) in sorted(told.items())
    )


class Scope(NamedTuple):
    """How far a restriction reaches; an empty word is every purpose, or every recipient."""

    purpose: str
    recipient: str


def reached_by(
    reader: EventReader, codec: Codec, view: View, resident: str, scope: Scope, *, but: Author
) -> tuple[Reached, ...]:
    """Return every recipient that got anything of a resident which such a restriction reaches, in order.

    It reaches what was given for its purpose to its recipient. `but` is who restricted: he knows.
    """
    plans = _plans_of(view, resident)
    found: dict[tuple[str, str], tuple[set[str], set[str], list[bool]]] = {}
    for decided in _decisions(reader, codec, stream_of("disclosure", resident)):
        who = (decided.organisation, decided.task)
        gives = decided.action not in _GIVES_NOTHING and decided.task not in _NOT_TOLD
        inside = in_scope(*scope, decided.purpose, "/".join(who))
        if gives and inside and decided.released and who != (but.oin, but.task):
            of_plans, purposes, openly = found.setdefault(who, (set(), set(), []))
            of_plans |= {decided.subject} & plans or plans
            purposes.add(decided.purpose)
            openly.append(not _is_kept_apart(decided))
    return tuple(
        Reached(*who, tuple(sorted(of_plans)), tuple(sorted(purposes)), apart=not any(openly))
        for who, (of_plans, purposes, openly) in sorted(found.items())
    )


def _is_kept_apart(decided: DisclosureDecided) -> bool:
    """Tell whether the very record is of what the resident's side is not told of at once."""
    asked = Asked(decided.task, decided.purpose, decided.legal_basis, decided.action)
    never = Duty.NO_NOTICE_TO_SUSPECT in decided.obligations
    return asked.names_safety or never or is_deferred(asked, decided.obligations)


def _plans_of(view: View, resident: str) -> frozenset[str]:
    return frozenset(
        one.removeprefix(PLAN_PREFIX) for one in view.scope(resident) if one.startswith(PLAN_PREFIX)
    )


def parted(events: Events, links: frozenset[str], *, apart: bool = False) -> tuple[Events, Events]:
    """Return the events about recipients behind these links, and all others: each in order.

    `apart` counts those the resident's side may not know of as behind a link too.
    """
    unseen = tuple(
        one
        for one in events
        if _recipient_of(one) in links or (apart and isinstance(one, RestrictionRecipientTold) and one.apart)
    )
    return unseen, tuple(one for one in events if one not in unseen)


def _recipient_of(event: Event) -> str:
    if not isinstance(event, _TOLD):
        return ""
    return f"{event.organisation}/{event.task}"


def was_answered(reader: EventReader, codec: Codec, resident: str, decision_id: str) -> bool:
    """Tell whether a decision of this id gave the resident's side something."""
    stream, before = stream_of("disclosure", resident), NEWEST
    while rows := reader.page_of_stream(stream, before, ROWS_PER_PAGE):
        for row in rows:
            if row.topic == DisclosureDecided.TOPIC:
                clear, _, _ = codec.decode_clear(row.state, stream=stream, topic=row.topic)
                if clear["decision_id"] == decision_id:
                    own = clear["task"] in OWN_WORDS and clear["action"] not in _GIVES_NOTHING
                    return own and clear["outcome"] in _GAVE
        before = rows[-1].version
    return False


def _decisions(reader: EventReader, codec: Codec, stream: str) -> Iterator[DisclosureDecided]:
    before = NEWEST
    while rows := reader.page_of_stream(stream, before, ROWS_PER_PAGE):
        for row in rows:
            if row.topic == DisclosureDecided.TOPIC:
                opened = codec.decode(row.state, stream=stream, version=row.version, topic=row.topic)
                assert isinstance(opened.event, DisclosureDecided)
                yield opened.event
        before = rows[-1].version
