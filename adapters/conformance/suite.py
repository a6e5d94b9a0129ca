"""Every check by name, run in order against one adapter; and what came of each.

Promises: what was not tried counts as not passed; a check that fails does not keep the next from being tried,
but for the first: where a good input has no effect, nothing else can be told.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from adapters.conformance import checks, wire_checks
from adapters.conformance.bench import Failed, NotTried
from adapters.conformance.errors import ContractInvalid
from adapters.sdk.errors import SdkError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from adapters.conformance.bench import Bench

FIRST: Final = "good-input"
CHECKS: Final[Mapping[str, Callable[[Bench], str]]] = MappingProxyType(
    {
        FIRST: checks.good_input,
        "idempotence": checks.idempotence,
        "redelivery": checks.redelivery,
        "retry": checks.retry,
        "answer-lost": checks.answer_lost,
        "no-retry": checks.no_retry,
        "bad-input": checks.bad_input,
        "withdrawal": checks.withdrawal,
        "outage-10": checks.outage(10),
        "outage-60": checks.outage(60),
        "outage-300": checks.outage(300),
        "outage-600": checks.outage(600),
        "kill": checks.kill,
        "restriction": wire_checks.restriction,
        "rectification": wire_checks.rectification,
        "purge": wire_checks.purge,
        "erasure": wire_checks.erasure,
        "bsn-wire": wire_checks.bsn_on_the_wire,
        "bsn-logs": wire_checks.bsn_in_logs,
        "bsn-disk": wire_checks.bsn_on_disk,
        "signature": wire_checks.signature,
        "deadline": wire_checks.deadline,
    }
)


class Outcome(Enum):
    """What came of a check."""

    PASSED = "passed"
    FAILED = "failed"
    NOT_TRIED = "not tried"


@dataclass(frozen=True, slots=True)
class Finding:
    """One check, by name, and what was seen."""

    name: str
    outcome: Outcome
    seen: str


def run(bench: Bench, only: Iterable[str] = ()) -> Iterator[Finding]:
    """Run the checks, all or those named; the first one always."""
    wanted = set(only) or set(CHECKS)
    stands = True
    for name, check in CHECKS.items():
        if name != FIRST and name not in wanted:
            continue
        if not stands:
            yield Finding(name, Outcome.NOT_TRIED, "a good input has no effect")
            continue
        found = _tried(name, check, bench)
        stands = stands and (name != FIRST or found.outcome is Outcome.PASSED)
        yield found


def _tried(name: str, check: Callable[[Bench], str], bench: Bench) -> Finding:
    try:
        return Finding(name, Outcome.PASSED, check(bench))
    except Failed as failed:
        return Finding(name, Outcome.FAILED, str(failed))
    except NotTried as missing:
        return Finding(name, Outcome.NOT_TRIED, str(missing))
    except ContractInvalid:
        # Nothing of this adapter can be tried: its author mends the file first.
        raise
    except SdkError as error:
        # Of the people around the adapter: what the check needs could not be brought about.
        return Finding(name, Outcome.NOT_TRIED, f"{type(error).__name__}: {error}")
    finally:
        if not bench.adapter.runs:
            bench.adapter.start()
