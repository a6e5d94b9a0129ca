"""Sealed links: that an organisation and task is on a case is itself kept, from all but whom a seal names.

Promises: a link is named in a seal by a word beside the paths; who it is about, the readers of that seal and
the privacy officer always see it, nobody else does; who decides, speaks or watches over is never hidden so: a
college, the resident's side, an officer and the operator's own desk.
Source: the gate's design section 5 (the existence of a link with a shelter is itself sealed); GDPR 23(1)(i),
32; Wmo 2015 5.2.6.
"""

from collections.abc import Iterable
from functools import lru_cache
from typing import Final

from exchange.domain.shape import FINE, oin_fault, token_fault
from exchange.domain.values import COLLEGE_PREFIX, TASKS_OF_RESIDENTS_SIDE, origin_of

LINK: Final = "link:"
OFFICER: Final = "fg"
# A municipality that hid its own part, or who may look after it, would be nobody's to correct.
NEVER_SEALED: Final = TASKS_OF_RESIDENTS_SIDE | {OFFICER, "beheer"}
NO_LINKS: Final[frozenset[str]] = frozenset()
LINK_SETS_MAX: Final = 1_024


def is_link(word: str) -> bool:
    """Tell whether a word of a seal names a link, and no path."""
    return word.startswith(LINK)


def link_fault(word: str) -> str:
    """Check a word that names a link: `link:<oin>/<task>`."""
    oin, _, task = word.removeprefix(LINK).partition("/")
    if oin_fault(oin) or token_fault(task):
        return "must be link:, an OIN, a slash and a task"
    if task.startswith(COLLEGE_PREFIX) or task in NEVER_SEALED:
        return "must not be who decides, speaks for the resident or watches over it"
    return FINE


def linked_oins(words: Iterable[str]) -> frozenset[str]:
    """Return whose part the links among these words name, as far as they are whole."""
    links = (word for word in words if is_link(word) and not link_fault(word))
    return frozenset(word.removeprefix(LINK).partition("/")[0] for word in links)


@lru_cache(maxsize=LINK_SETS_MAX)
def origins_of(links: frozenset[str]) -> frozenset[str]:
    """Return the origins by which elements, consents and records name these recipients."""
    parts = (one.partition("/") for one in links)
    return frozenset(origin_of(task, oin) for oin, _, task in parts)
