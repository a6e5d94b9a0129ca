"""What a permitted command asked, kept beside its events, and all its facts found again by it.

Promises: what is kept are marks, a stream and categories, and no word of anybody; with the streams and the
register as of the command's position it gives the very facts it was judged by, also years later.
Source: the gate's law P6; GDPR 5(2); exchange/decisions/0023-whole-replay.md.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Final

from exchange.errors import HistoryUnreadable
from exchange.pipeline.facts import command_facts, standing_of, subject_of
from exchange.pipeline.walk import Caller, Claim, CommandWalk, Steps
from exchange.store.codec import Asked

if TYPE_CHECKING:
    from collections.abc import Sequence

    from exchange.domain.kernel import Event
    from exchange.gate.model import Facts
    from exchange.gate.register import Register
    from exchange.pipeline.facts import Subject
    from exchange.pipeline.walk import View
    from exchange.store.codec import Meta

# Letters are permanent. One that is absent says that it was not so.
ASSURED: Final = "a"  # two factors of the person, mutual TLS of the organisation
STATED: Final = "n"  # necessity in words
OWN: Final = "o"  # the token is bound to the resident this is about
RELATION: Final = "r"  # a part in the case is asked
TAKES_BACK: Final = "t"
ABOUT_CONSENT: Final = "c"
MARKS: Final = frozenset({ASSURED, STATED, OWN, RELATION, TAKES_BACK, ABOUT_CONSENT})
SAME_STREAM: Final = "="
WRITTEN_SETS_MAX: Final = 1_024
# The gate looks at whether there are words, never at what they say.
WORDS: Final = "."


def asked_of(walk: CommandWalk, subject: Subject, appends: Sequence[tuple[str, Sequence[Event]]]) -> Asked:
    """Return what to keep of a permitted command whose events these are."""
    caller = walk.caller
    marks = "".join(
        mark
        for mark, holds in (
            (ASSURED, caller.two_factor and caller.mutual_tls),
            (STATED, walk.claim.necessity.strip()),
            (OWN, caller.resident and caller.resident == subject.resident),
            (RELATION, walk.relation),
            (TAKES_BACK, walk.takes_back),
            (ABOUT_CONSENT, walk.about_consent),
        )
        if holds
    )
    first = next(stream for stream, events in appends if events)
    anchor = SAME_STREAM if walk.anchor == first else walk.anchor
    return Asked(marks, anchor, _categories(walk.fields))


def facts_again(meta: Meta, asked: Asked, stream: str, view: View, register: Register) -> Facts:
    """Return the facts of the command whose first event stands in `stream`.

    `view` and `register` are as of its facts position. Raises HistoryUnreadable for a mark unknown here.
    """
    unknown = set(asked.marks) - MARKS
    if unknown:
        raise HistoryUnreadable(
            "a permitted command has a mark this version does not know", mark=min(unknown)
        )
    anchor = stream if asked.anchor == SAME_STREAM else asked.anchor
    subject = subject_of(view, anchor)
    walk = _walk(meta, asked, anchor, subject)
    return command_facts(walk, standing_of(walk, view, subject), register)


def _walk(meta: Meta, asked: Asked, anchor: str, subject: Subject) -> CommandWalk:
    caller = Caller(
        organisation=meta.organisation,
        task=meta.task,
        professional=meta.professional,
        role="",
        thumbprint="",
        two_factor=ASSURED in asked.marks,
        mutual_tls=ASSURED in asked.marks,
        resident=subject.resident if OWN in asked.marks else "",
    )
    claim = Claim(
        purpose=meta.purpose,
        legal_basis=meta.legal_basis.rpartition("@")[0],
        necessity=WORDS if STATED in asked.marks else "",
    )
    return CommandWalk(
        rpc="",
        caller=caller,
        claim=claim,
        now=meta.at,
        request_id="",
        content=b"",
        anchor=anchor,
        # The rules look at the category of what is written, and at its name nowhere.
        fields=tuple((category, category) for category in asked.categories),
        process=_nothing,
        relation=RELATION in asked.marks,
        takes_back=TAKES_BACK in asked.marks,
        about_consent=ABOUT_CONSENT in asked.marks,
    )


def _nothing(_view: View) -> Steps:
    return Steps(())


@lru_cache(maxsize=WRITTEN_SETS_MAX)
def _categories(fields: tuple[tuple[str, str], ...]) -> tuple[str, ...]:
    return tuple(sorted({category for _, category in fields}))
