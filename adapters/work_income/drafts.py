"""What Suwinet told of one resident for one purpose, whole, and the file of it for a professional.

Promises: goals and trajectories stay drafts, for only a resident has words for a goal and only a professional
judges a step; a file is there whole or not at all, also after a crash; its name says a plan and a purpose and
nothing else, and nothing in it is a BSN.
Source: Wmo 2015 2.3.2 and Participatiewet 44a (a plan is made with the resident); GDPR 17.
"""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Final

import msgspec

from adapters.work_income.mapping import goals, prefills, trajectories
from adapters.work_income.records import Domain, GoalDraft, Notice, Prefill, TrajectoryDraft

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable
    from pathlib import Path

    from adapters.work_income.journal import Pull
    from adapters.work_income.records import Findings

_SUFFIX: Final = ".json"


@dataclass(frozen=True, slots=True)
class Told:
    """What all services of a purpose told. `nothing` are those that found nothing."""

    prefills: tuple[Prefill, ...]
    goals: tuple[GoalDraft, ...]
    trajectories: tuple[TrajectoryDraft, ...]
    notices: tuple[Notice, ...]
    nothing: tuple[str, ...]

    @classmethod
    def of(cls, found: Collection[Findings]) -> Told:
        """Put together what the services found."""
        return cls(
            prefills=prefills(found),
            goals=goals(found),
            trajectories=trajectories(found),
            notices=tuple(notice for one in found for notice in one.notices),
            nothing=tuple(one.service for one in found if one.nothing),
        )

    def packed(self) -> bytes:
        """Return it as bytes; the same facts are the same bytes."""
        return msgspec.json.encode(self, order="sorted")


def unpack(data: bytes) -> Told:
    """Return what was packed."""
    return msgspec.json.decode(data, type=Told)


class Drafts:
    """A folder of drafts, one file for a plan and a purpose."""

    def __init__(self, folder: Path) -> None:
        self._folder: Final = folder
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)

    def write(self, pull: Pull, told: Told, states: dict[str, str]) -> bool:
        """Write what is for a person; tell whether there is anything. The same again changes nothing."""
        left = [one for one in told.prefills if states.get(one.domain.value) == "left"]
        if not (left or told.goals or told.trajectories or told.notices):
            return False
        content = {
            "plan_id": pull.plan_id,
            "purpose": pull.order.purpose,
            "decision_id": pull.decision_id,
            "situations": [asdict(one) for one in left],
            "goals": [asdict(one) for one in told.goals],
            "trajectories": [asdict(one) for one in told.trajectories],
            "notices": [asdict(one) for one in told.notices],
            "nothing_found": told.nothing,
        }
        text = json.dumps(content, ensure_ascii=False, indent=1, default=_word)
        self._put(f"{pull.plan_id}-{pull.order.purpose}{_SUFFIX}", text.encode())
        return True

    def _put(self, name: str, content: bytes) -> None:
        draft = self._folder / f".{name}"
        draft.unlink(missing_ok=True)
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            os.write(descriptor, content)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        draft.replace(self._folder / name)

    def erase(self, plan_ids: Iterable[str]) -> bool:
        """Erase every draft of these plans, half-written ones too; tell whether there was any."""
        wanted = tuple(plan_ids)
        found = [one for one in self._folder.iterdir() if one.name.lstrip(".").startswith(wanted)]
        for one in found:
            one.unlink(missing_ok=True)
        return bool(found)


def _word(value: object) -> str:
    if isinstance(value, Domain):
        return value.value
    raise TypeError("a draft holds words, numbers and life domains only")
