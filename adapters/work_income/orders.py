"""Orders: a desk asks for what Suwinet knows of one resident, for one purpose, as a JSON file.

Promises: an unknown key, a missing one and a value of another shape are refused with the key and the rule
named and never a value; a file that is no order is kept sealed, under a name of ours, with the reason
beside it; a name a sender chose is in no log. A purpose is not judged here but known: the gate judges.
Source: Wet SUWI 62 (what is necessary).
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import date
from typing import TYPE_CHECKING, Any, Final

from adapters.kit.leaving import UNSEEN, State, give_back, leave, put_back, state_of, take_away
from adapters.sdk.bsn import Bsn, BsnRefused
from adapters.work_income.errors import OrderRefused
from adapters.work_income.exchange_port import purpose_of
from adapters.work_income.mapping import clean
from adapters.work_income.records import Domain
from adapters.work_income.soap import Period

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from adapters.kit.put_aside import PutAside

ORDER_BYTES_MAX: Final = 8 * 1024
NECESSITY_CHARACTERS_MAX: Final = 1_000
SCORES: Final = range(1, 6)
_KEYS: Final = frozenset({"bsn", "purpose", "necessity", "scores", "period"})
_SUFFIX: Final = ".json"


@dataclass(frozen=True, slots=True)
class Order:
    """What is asked. `scores` are the desk's own judgement, 1 to 5, of a domain that is filled in."""

    bsn: Bsn
    purpose: str
    necessity: str = field(repr=False)
    scores: Mapping[Domain, int] = field(repr=False, default_factory=dict)
    period: Period | None = field(repr=False, default=None)

    def packed(self) -> bytes:
        """Return it as the bytes of a file that `read_order` reads."""
        told: dict[str, Any] = {
            "bsn": self.bsn.reveal(),
            "purpose": self.purpose,
            "necessity": self.necessity,
            "scores": {domain.value: score for domain, score in self.scores.items()},
        }
        if self.period is not None:
            told["period"] = {"from": _day(self.period.begin), "until": _day(self.period.end)}
        # In the letters it came in: escaped, a long text would be more than an order may have.
        return json.dumps(told, sort_keys=True, ensure_ascii=False).encode()


def read_order(data: bytes) -> Order:
    """Read `{"bsn", "purpose", "necessity"}`, with `scores` and `period` or without. Raises OrderRefused."""
    if len(data) > ORDER_BYTES_MAX:
        raise OrderRefused(f"an order has at most {ORDER_BYTES_MAX} bytes")
    try:
        told = json.loads(data)
    except (ValueError, RecursionError):
        raise OrderRefused("this file is not JSON in UTF-8") from None
    if not isinstance(told, dict):
        raise OrderRefused("an order is a JSON object")
    if told.keys() - _KEYS:
        raise OrderRefused(f"unknown keys; known are {', '.join(sorted(_KEYS))}")
    purpose = _text(told, "purpose")
    if purpose_of(purpose) is None:
        raise OrderRefused("purpose: is a purpose of the register of legal bases")
    return Order(_bsn(told), purpose, _necessity(told), _scores(told), _period(told))


def _text(told: dict[str, Any], key: str) -> str:
    value = told.get(key)
    if not isinstance(value, str) or not value.strip():
        raise OrderRefused(f"{key}: is a text and must be there")
    try:
        value.encode()
    except UnicodeEncodeError:
        # JSON can name half a letter; no other system takes it.
        raise OrderRefused(f"{key}: holds half a letter") from None
    return value


def _bsn(told: dict[str, Any]) -> Bsn:
    try:
        return Bsn(_text(told, "bsn"))
    except BsnRefused as refused:
        raise OrderRefused(f"bsn: {refused}") from None


def _necessity(told: dict[str, Any]) -> str:
    text = _text(told, "necessity")
    if len(text) > NECESSITY_CHARACTERS_MAX:
        raise OrderRefused(f"necessity: has at most {NECESSITY_CHARACTERS_MAX} characters")
    if clean(text) != " ".join(text.split()):
        raise OrderRefused("necessity: holds a BSN")
    return text


def _scores(told: dict[str, Any]) -> Mapping[Domain, int]:
    scores = told.get("scores", {})
    known = {domain.value: domain for domain in Domain}
    if not isinstance(scores, dict) or scores.keys() - known.keys():
        raise OrderRefused(f"scores: is an object with {', '.join(sorted(known))}")
    if any(type(score) is not int or score not in SCORES for score in scores.values()):
        raise OrderRefused("scores: each is a whole number from 1 to 5")
    return {known[name]: score for name, score in scores.items()}


def _period(told: dict[str, Any]) -> Period | None:
    period = told.get("period")
    if period is None:
        return None
    if not isinstance(period, dict) or period.keys() != {"from", "until"}:
        raise OrderRefused("period: is an object with from and until")
    try:
        begin, end = (date.fromisoformat(period[key]) for key in ("from", "until"))
    except (ValueError, TypeError):
        raise OrderRefused("period: from and until are days as 2026-01-31") from None
    if begin > end:
        raise OrderRefused("period: from is not after until")
    # Not strftime, which writes the year 999 in three digits.
    return Period(begin.isoformat().replace("-", ""), end.isoformat().replace("-", ""))


def _day(text: str) -> str:
    return f"{text[:4]}-{text[4:6]}-{text[6:]}"


class Inbox:
    """A folder a desk's own system writes orders into."""

    def __init__(self, inbox: Path, rejected: PutAside, fresh_name: Callable[[], str]) -> None:
        self._inbox: Final = inbox
        self._rejected: Final = rejected
        self._fresh_name: Final = fresh_name
        self._state: State = UNSEEN  # of the file that was given last
        inbox.mkdir(mode=0o700, parents=True, exist_ok=True)
        give_back(inbox)

    def take(self) -> Iterator[tuple[Order | OrderRefused, Path]]:
        """Give each file, as an order or as why it is none; before the next the caller says what becomes.

        A file that cannot be opened is none: the rest does not wait for it.
        """
        for file in sorted(self._inbox.glob(f"*{_SUFFIX}")):
            # A name that begins with a dot is one somebody still writes; a link is nobody's order.
            if file.name.startswith(".") or file.is_symlink() or not file.is_file():
                continue
            self._state = UNSEEN
            try:
                # Before it is read: what is written over it from here on is another.
                self._state = state_of(file.lstat())
                with file.open("rb") as opened:
                    found: Order | OrderRefused = read_order(opened.read(ORDER_BYTES_MAX + 1))
            except OrderRefused as refused:
                found = refused
            except FileNotFoundError:
                # Taken back meanwhile.
                continue
            except OSError as error:
                found = OrderRefused(f"this file cannot be read: {error.strerror}")
            yield found, file

    def reject(self, file: Path, refused: OrderRefused) -> None:
        """Keep a file that is no order, the reason first: there is never one without. Raises OSError."""
        leaving = leave(file, self._state)
        if leaving is None:
            return
        try:
            self._rejected.put(self._fresh_name(), leaving, f"{refused.code}: {refused}\n{refused.remedy}\n")
        except OSError:
            put_back(leaving, file)
            raise

    def remove(self, file: Path) -> None:
        """Take the file away that was given last; what was written over it meanwhile is taken in its turn."""
        take_away(file, self._state)

    def say(self, reason: str) -> None:
        """Write down why an order came to nothing. Raises OSError."""
        self._rejected.say(self._fresh_name(), reason)
