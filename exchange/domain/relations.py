"""Who works on a case, from when and until when.

Promises: a relation that ended, or one with a closed case, opens nothing.
Source: GDPR 5(1)(f); Wmo 2015 article 5.3.3.
"""

from dataclasses import dataclass
from datetime import datetime

from exchange.domain.values import Author


@dataclass(frozen=True, slots=True)
class Professional:
    """A relation with the case: start included, end excluded; no end while it lasts."""

    oin: str
    task: str
    professional: str
    role: str
    start: datetime
    end: datetime | None = None

    @property
    def is_college(self) -> bool:
        """Tell whether this is a professional of a college."""
        return Author(self.oin, self.task, self.professional).is_college

    def is_author(self, author: Author) -> bool:
        """Tell whether this is the same person in the same task of the same organisation."""
        return self.is_person(author.oin, author.task, author.professional)

    def is_person(self, oin: str, task: str, professional: str) -> bool:
        """Tell the same of an author told in parts: asked on every walk."""
        return self.professional == professional and self.task == task and self.oin == oin

    def works_at(self, now: datetime) -> bool:
        """Tell whether the relation stands at this moment."""
        return self.start <= now and (self.end is None or now < self.end)


@dataclass(frozen=True, slots=True)
class CaseState:
    """A case as it stands. Ended relations stay listed, oldest first; `origin` is the task that opened it."""

    case_id: str
    resident: str
    plan_id: str
    origin: str
    professionals: tuple[Professional, ...] = ()
    reporters: tuple[Author, ...] = ()
    closed: bool = False


def has_relation(state: CaseState | None, oin: str, task: str, professional: str, now: datetime) -> bool:
    """Tell whether this professional works on the case now, in this task."""
    return relation_of(state, oin, task, professional, now) is not None


def relation_of(
    state: CaseState | None, oin: str, task: str, professional: str, now: datetime
) -> Professional | None:
    """Return the relation in which this professional works on the case now, None where there is none."""
    if state is None or state.closed:
        return None
    for each in state.professionals:
        if each.is_person(oin, task, professional) and each.works_at(now):
            return each
    return None
