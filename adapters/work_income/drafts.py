"""What Suwinet told of one resident for one purpose, whole, and the file of it for a professional.

Promises: goals and trajectories stay drafts, for only a resident has words for a goal and only a professional
judges a step; a file is there whole or not at all, also after a crash; its name says a plan and a purpose and
nothing else, and nothing in it is a BSN. A draft of a restricted plan lies where no person of the desk looks,
until the restriction is lifted; one that nobody took is erased after its time.
Source: Wmo 2015 2.3.2 and Participatiewet 44a (a plan is made with the resident); GDPR 4(3), 5(1)(e), 17, 18.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Final

import msgspec

from adapters.kit.put_aside import put_whole
from adapters.work_income.mapping import goals, prefills, trajectories
from adapters.work_income.records import Domain, GoalDraft, Notice, Prefill, TrajectoryDraft

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator
    from pathlib import Path

    from adapters.work_income.journal import Pull
    from adapters.work_income.records import Findings

_SUFFIX: Final = ".json"
_DAY_NS: Final = 24 * 3_600 * 10**9


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
    """A folder of drafts, one file for a plan and a purpose; `aside` is for those of restricted plans."""

    def __init__(
        self, folder: Path, aside: Path, erase_too: Callable[[Collection[str]], None] = lambda _plans: None
    ) -> None:
        """Keep drafts; `erase_too` erases what else is kept as files about whom these plans are."""
        self._erase_too: Final = erase_too
        self._folder: Final = folder
        self._aside: Final = aside
        for one in (folder, aside):
            one.mkdir(mode=0o700, parents=True, exist_ok=True)

    def write(self, pull: Pull, told: Told, states: dict[str, str], now_ms: int) -> bool:
        """Write what is for a person; tell whether there is anything. The same again changes its time."""
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
        name = _name(pull.plan_id, pull.order.purpose)
        put_whole(self._folder / name, text.encode(), now_ms * 1_000_000)
        # An older one that was set aside is said anew with it.
        (self._aside / name).unlink(missing_ok=True)
        return True

    def set_aside(self, plan_id: str, purpose: str) -> bool:
        """Take a draft out of the desk's reach; tell whether there is one, there or aside already."""
        return self._move(self._folder, self._aside, _name(plan_id, purpose))

    def bring_back(self, plan_id: str, purpose: str) -> bool:
        """Give back what was set aside; tell whether there is one, aside or back already."""
        return self._move(self._aside, self._folder, _name(plan_id, purpose))

    def _move(self, source: Path, target: Path, name: str) -> bool:
        # The two may lie on different file systems: there first, and then gone here.
        try:
            content, written_ns = (source / name).read_bytes(), (source / name).stat().st_mtime_ns
        except FileNotFoundError:
            return (target / name).exists()
        put_whole(target / name, content, written_ns)
        (source / name).unlink()
        return True

    def holds(self, plan_ids: Iterable[str]) -> bool:
        """Tell whether there is a draft of one of these plans, set aside or not."""
        return any(self._of(plan_ids))

    def erase(self, plan_ids: Iterable[str]) -> None:
        """Erase every draft of these plans, half-written ones too."""
        plans = tuple(plan_ids)
        for one in list(self._of(plans)):
            one.unlink(missing_ok=True)
        self._erase_too(plans)

    def expire(self, now_ms: int, days: int) -> int:
        """Erase the drafts that nobody took in so many days; return how many. What is restricted stays."""
        oldest_ns = now_ms * 1_000_000 - days * _DAY_NS
        files = [one for one in self._folder.iterdir() if one.is_file()]
        found = [one for one in files if one.stat().st_mtime_ns < oldest_ns]
        for one in found:
            one.unlink(missing_ok=True)
        return len(found)

    def _of(self, plan_ids: Iterable[str]) -> Iterator[Path]:
        wanted = tuple(plan_ids)
        for folder in (self._folder, self._aside):
            yield from (one for one in folder.iterdir() if one.name.lstrip(".").startswith(wanted))


def _name(plan_id: str, purpose: str) -> str:
    return f"{plan_id}-{purpose}{_SUFFIX}"


def _word(value: object) -> str:
    if isinstance(value, Domain):
        return value.value
    raise TypeError("a draft holds words, numbers and life domains only")
