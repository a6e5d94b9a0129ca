"""Decision-case files: how a privacy officer tests a policy before it is enabled.

Promises: the same rules and register as the service, no second implementation; an unknown key, a wrong type
or a case said twice raises CaseFileInvalid naming case and key, never the value. A null is: not established.
Source: GDPR 5(2), 24(1). The keys are listed in README.md.
"""

from __future__ import annotations

import json
import re
from codecs import BOM_UTF8, BOM_UTF16_BE, BOM_UTF16_LE
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from exchange.errors import CaseFileInvalid
from exchange.gate.judge import judge
from exchange.gate.model import MISSING, BreakGlass, Consent, Facts, Field, Outcome, Verdict
from exchange.gate.representation import as_said

if TYPE_CHECKING:
    from pathlib import Path

    from exchange.gate.register import Register

FILE_BYTES_MAX: Final = 16 << 20
CASES_MAX: Final = 20_000
KEY_CHARS_MAX: Final = 120
AGE_YEARS_MAX: Final = 150

_is_day: Final = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII).fullmatch
Keys: TypeAlias = Mapping[str, tuple[str, Callable[[object], Any]]]


@dataclass(frozen=True, slots=True)
class Case:
    """One case: what is so, and, if the file says it, what must come out."""

    id: str
    facts: Facts
    expected: Mapping[str, object] | None


@dataclass(frozen=True, slots=True)
class Difference:
    """What a case expected under one key, and what came out."""

    case: str
    key: str
    expected: object
    found: object


class _Wrong(ValueError):
    """A value of another type than its key asks; the message says what is asked."""


def read_cases(file: Path) -> tuple[Case, ...]:
    """Read a case file. Raises CaseFileInvalid naming case and key."""
    try:
        content = json.loads(_text_of(file), object_pairs_hook=_once, parse_constant=_no_constant)
    except _Wrong as error:
        raise CaseFileInvalid(f"the case file is refused: {error}", case="", key="") from error
    except (ValueError, RecursionError) as error:
        raise CaseFileInvalid("the case file cannot be read as JSON", case="", key="") from error
    _refuse_surrogates(content)
    if not isinstance(content, list) or len(content) > CASES_MAX:
        raise CaseFileInvalid("a case file is a list of cases", case="", key="")
    cases = tuple(_case(position, item) for position, item in enumerate(content))
    seen: set[str] = set()
    for case in cases:
        if case.id in seen:
            raise CaseFileInvalid("two cases bear one id", case=case.id, key="id")
        seen.add(case.id)
    return cases


def _text_of(file: Path) -> str:
    try:
        size = file.stat().st_size
        raw = b"" if size > FILE_BYTES_MAX else file.read_bytes()
    except FileNotFoundError:
        raise CaseFileInvalid("there is no such case file", file=file.name, case="", key="") from None
    except IsADirectoryError:
        raise CaseFileInvalid("a folder is no case file", file=file.name, case="", key="") from None
    except OSError as error:
        raise CaseFileInvalid(
            "the case file cannot be opened", file=file.name, reason=str(error.strerror), case="", key=""
        ) from None
    if size > FILE_BYTES_MAX:
        raise CaseFileInvalid("the case file is too large", case="", key="")
    if raw.startswith((BOM_UTF8, BOM_UTF16_LE, BOM_UTF16_BE)):
        raise CaseFileInvalid(
            "the case file begins with a byte order mark: save it as UTF-8 without one", case="", key=""
        )
    return raw.decode()


def decide(cases: Iterable[Case], register: Register) -> Iterator[dict[str, object]]:
    """Judge each case, in order; each result has the shape that `exchange gate decide` prints."""
    for case in cases:
        yield result(case.id, judge(case.facts, register))


def result(case_id: str, verdict: Verdict) -> dict[str, object]:
    """Return a verdict as plain JSON values."""
    return {
        "id": case_id,
        "decision": verdict.outcome.value,
        "rules": list(verdict.rules),
        "fields": {
            name: "release" if field.release else "withhold" for name, field in verdict.fields.items()
        },
        "obligations": list(verdict.obligations),
    }


def differences(case: Case, found: Mapping[str, object]) -> Iterator[Difference]:
    """Compare a result with what its case expected. Raises CaseFileInvalid if the case expects nothing."""
    if case.expected is None:
        raise CaseFileInvalid("a case without `expected` cannot be checked", case=case.id, key="expected")
    for key, expected in case.expected.items():
        if expected != found[key]:
            yield Difference(case.id, key, expected, found[key])


def refuse_nothing(cases: tuple[Case, ...]) -> None:
    """Raise CaseFileInvalid where there is no case: a check of nothing found nothing."""
    if not cases:
        raise CaseFileInvalid("there is no case in this file: nothing was checked", case="", key="")


def _once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    read = dict(pairs)
    if len(read) != len(pairs):
        raise _Wrong("a key is said twice in one object")
    return read


def _refuse_surrogates(content: object) -> None:
    """Refuse what JSON can escape and UTF-8 cannot hold: half a character."""
    try:
        json.dumps(content, ensure_ascii=False).encode()
    except (UnicodeEncodeError, RecursionError) as error:
        message = "a text of the case file holds half a character, or it is nested too deeply"
        raise CaseFileInvalid(message, case="", key="") from error


def _no_constant(name: str) -> object:
    raise _Wrong(f"{name} is not JSON")


def _case(position: int, item: object) -> Case:
    place = f"#{position + 1}"
    try:
        given = _read_case(item)
    except _Wrong as error:
        case_id = item.get("id") if isinstance(item, dict) else None
        raise CaseFileInvalid(
            f"a case is refused: {error.args[0]}",
            case=case_id if isinstance(case_id, str) and case_id else place,
            key=_key(error),
        ) from error
    return Case(given["id"], given["facts"], given.get("expected"))


def _read_case(item: object) -> dict[str, Any]:
    given = _read(item, _CASE_KEYS)
    for key in ("id", "facts"):
        if key not in given:
            raise _Wrong("a case has an id and facts", key)
    return given


def _key(error: _Wrong) -> str:
    return str(error.args[1])[:KEY_CHARS_MAX] if len(error.args) > 1 else ""


def _read(value: object, keys: Keys, path: str = "") -> dict[str, Any]:
    """Read an object by its table of keys. Raises _Wrong(sentence, path of the key)."""
    if not isinstance(value, dict):
        raise _Wrong("an object is asked", path)
    read: dict[str, Any] = {}
    for key, item in value.items():
        at = f"{path}.{key}" if path else key
        if key not in keys:
            raise _Wrong("the key is unknown", at)
        name, reader = keys[key]
        if item is None and key != "consent":
            continue
        try:
            read[name] = reader(item)
        except _Wrong as error:
            inner = _key(error)
            raise _Wrong(
                error.args[0], f"{at}{inner if inner.startswith('[') else inner and '.' + inner}"
            ) from error
    return read


def _text(value: object) -> str:
    if isinstance(value, str):
        return value
    raise _Wrong("a text is asked")


def _name(value: object) -> str:
    return _words(value).strip()


def _words(value: object) -> str:
    if (text := _text(value)).strip():
        return text
    raise _Wrong("a text that says something is asked")


def _text_set(value: object) -> frozenset[str]:
    return frozenset(_texts(value))


def _flag(value: object) -> bool:
    if isinstance(value, bool):
        return value
    raise _Wrong("true or false is asked")


def _years(value: object) -> int:
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= AGE_YEARS_MAX:
        return value
    raise _Wrong(f"a whole number of years, 0 to {AGE_YEARS_MAX}, is asked")


def _texts(value: object) -> tuple[str, ...]:
    if isinstance(value, list):
        return tuple(_text(item) for item in value)
    raise _Wrong("a list of texts is asked")


def _moment(value: object) -> datetime:
    """Read an ISO 8601 time with its zone."""
    text = _text(value)
    try:
        read = datetime.fromisoformat(text)
        if read.tzinfo is not None:
            return read.astimezone(UTC)
    except OverflowError as error:
        raise _Wrong("a time of the years 1 to 9999 in UTC is asked") from error
    except ValueError as error:
        raise _Wrong("a time in ISO 8601 with its zone is asked") from error
    raise _Wrong("a time in ISO 8601 with its zone is asked")


def _time(value: object) -> datetime:
    """Read a time with its zone; a bare day is its first moment in UTC."""
    text = _text(value)
    return _moment(f"{text}T00:00Z" if _is_day(text) else text)


def _one_of(*words: str) -> Callable[[object], str]:
    asked = f"{', '.join(words[:-1])} or {words[-1]} is asked"

    def read(value: object) -> str:
        if (text := _text(value)) in words:
            return text
        raise _Wrong(asked)

    return read


def _fields(value: object) -> tuple[Field, ...]:
    if not isinstance(value, list):
        raise _Wrong("a list of fields is asked")
    found: list[Field] = []
    for position, item in enumerate(value):
        read = _read(item, _FIELD_KEYS, f"[{position}]")
        for key, (name, _) in _FIELD_KEYS.items():
            if key in {"n", "cat"} and not read.get(name, "").strip():
                raise _Wrong("a field has a name and a category", f"[{position}].{key}")
        if read["name"] in {field.name for field in found}:
            raise _Wrong("two fields bear one name", f"[{position}].n")
        found.append(Field(**read))
    return tuple(found)


def _consent(value: object) -> Consent | None:
    if value is None:
        return None
    read = _read(value, _CONSENT_KEYS)
    if "state" not in read:
        raise _Wrong("a consent has a state; where there is none, write null", "state")
    return Consent(**read)


def _one_purpose(value: object) -> frozenset[str]:
    """Read the one purpose of a consent; a list, because the format had room for several."""
    purposes = _text_set(value)
    if len(purposes) > 1:
        raise _Wrong("one consent is one purpose: make a consent of its own for each")
    return purposes


def _break_glass(value: object) -> BreakGlass:
    read = _read(value, _BREAK_GLASS_KEYS)
    if not read:
        raise _Wrong("a claim has a code or a reason; where there is none, leave the key out")
    return BreakGlass(**{"code": "", "reason": ""} | read)


def _facts(value: object) -> Facts:
    return Facts(**{"consent": MISSING} | _read(value, _FACT_KEYS))


def _expected_fields(value: object) -> dict[str, str]:
    if not isinstance(value, dict):
        raise _Wrong("an object is asked")
    for name, word in value.items():
        if not isinstance(word, str) or word not in {"release", "withhold"}:
            raise _Wrong("release or withhold is asked", name)
    return value


def _expected(value: object) -> dict[str, object]:
    read = _read(value, _EXPECTED_KEYS)
    for key in ("decision", "rules"):
        if key not in read:
            raise _Wrong("a decision and its rules are asked", key)
    return read


_is_state: Final = _one_of("REQUESTED", "GIVEN", "REFUSED", "WITHDRAWN", "EXPIRED", "REPLACED")
_FIELD_KEYS: Final[Keys] = {
    "n": ("name", _text),
    "cat": ("category", _text),
    "secret": ("secret", _flag),
    "sealed": ("sealed", _flag),
    "third_party": ("third_party", _flag),
    "retention_end": ("retention_end", _time),
    "staff_name": ("staff_name", _flag),
}
_CONSENT_KEYS: Final[Keys] = {
    "state": ("state", lambda value: _is_state(_text(value).strip().upper())),
    "explicit": ("explicit", _flag),
    "from": ("start", _time),
    "to": ("end", _time),
    "withdrawn_at": ("withdrawn_at", _time),
    "purposes": ("purposes", _one_purpose),
    "recipients": ("recipients", _text_set),
    "cats": ("categories", _text_set),
    "given_by": ("given_by", lambda value: as_said(_texts(value))),
    "free_assessed": ("free_assessed", _flag),
}
_BREAK_GLASS_KEYS: Final[Keys] = {"code": ("code", _text), "reason": ("reason", _text)}
_FACT_KEYS: Final[Keys] = {
    "now": ("now", _moment),
    "actor_auth": ("actor_auth", _text),
    "case_relation": ("case_relation", _flag),
    "relative_of_subject": ("relative_of_subject", _flag),
    "necessity": ("necessity", _text),
    "need_fields": ("need_fields", _text_set),
    "age": ("age", _years),
    "capable": ("capable", _flag),
    "roles": ("roles", _text_set),
    "grondslag": ("legal_basis", _words),
    "purpose": ("purpose", _words),
    "provider": ("provider", _words),
    "recipient": ("recipient", _words),
    "recipient_id": ("recipient_id", _words),
    "acquired_for": ("acquired_for", _words),
    "directly_involved": ("directly_involved", _flag),
    "has_authority": ("has_authority", _flag),
    "authority_disputed": ("authority_disputed", _flag),
    "contrary_to_child_interest": ("contrary_to_child_interest", _flag),
    "staff_identity_needed": ("staff_identity_needed", _flag),
    "disproportionate": ("disproportionate", _flag),
    "objection": ("objection", _one_of("PENDING", "UPHELD", "REJECTED")),
    "restricted": ("restricted", _flag),
    "delivered_later": ("delivered_later", _flag),
    "store_unavailable": ("store_unavailable", _flag),
    "records": ("records", _flag),
    "break_glass": ("break_glass", _break_glass),
    "consent": ("consent", _consent),
    "fields": ("fields", _fields),
}
_EXPECTED_KEYS: Final[Keys] = {
    "decision": ("decision", _one_of(*(outcome.value for outcome in Outcome))),
    "rules": ("rules", lambda value: sorted(_texts(value))),
    "fields": ("fields", _expected_fields),
    "obligations": ("obligations", lambda value: sorted(_texts(value))),
}
_CASE_KEYS: Final[Keys] = {
    "id": ("id", _name),
    "title": ("title", _text),
    "given": ("given", _text),
    "when": ("when", _text),
    "why": ("why", _text),
    "facts": ("facts", _facts),
    "expected": ("expected", _expected),
}
