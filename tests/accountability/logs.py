"""What was derived of a running town's store, in each form."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from exchange.server.accountability.contents import contents_of
from exchange.server.accountability.ldv import ldv_line
from exchange.server.accountability.nen7513 import concerns_care, nen7513_line
from exchange.server.accountability.processings import Processing, Trail
from exchange.server.accountability.verwerkingen import verwerkingsactie
from exchange.server.contract.decisions import DecisionReader
from exchange.server.traces import place_in_trace

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from exchange.server.accountability.contents import Contents
    from exchange.wiring.core import Core

Line = dict[str, Any]
USER = {"userID", "userIsRequestor", "roleIDCode", "purposeOfUse"}
SUBJECT = "dpl.core.data_subject_id"


def moment_of(text: str) -> datetime:
    return datetime.fromisoformat(text)


def at_of(line: Line) -> datetime:
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=line["startTime"])


def head(core: Core) -> int:
    return core.reader.head()[0]


def processings(core: Core, since: int = 0) -> list[Processing]:
    return list(Trail(core.reader, core.codec, core.registers).processings(since, head(core)))


def ldv(core: Core, since: int = 0, organisation: str = "") -> list[Line]:
    found = (ldv_line(one, core.log_pseudonym, organisation) for one in processings(core, since))
    return [line for line in found if line is not None]


def _opened(core: Core, since: int) -> Iterator[tuple[Processing, Contents]]:
    decisions = DecisionReader(core.codec, core.registers, core.log_pseudonym)
    return ((one, contents_of(one, decisions, core.codec)) for one in processings(core, since))


def verwerkingen(core: Core, since: int = 0) -> list[Line]:
    operator = core.settings.operator_oin
    return [verwerkingsactie(*both, core.log_pseudonym, operator) for both in _opened(core, since)]


def nen7513(core: Core, since: int = 0) -> list[Line]:
    operator = core.settings.operator_oin
    return [
        nen7513_line(*both, core.log_pseudonym, operator)
        for both in _opened(core, since)
        if concerns_care(*both)
    ]


def of_decision(lines: list[Line], decision_id: str) -> Line:
    """Return the one line of a decision about one resident, or nobody."""
    span = place_in_trace("", decision_id).span_id
    (found,) = [line for line in lines if line["span_id"] == span]
    return found


def require_extension(lines: list[Line], text: str, valid: Callable[[Any], Any]) -> None:
    """Hold each line against the words of the extension, and without it against the log's own schema."""
    for line in lines:
        own = {name: told for name, told in line["attributes"].items() if name.startswith("dpl.nen7513.")}
        assert len(own) == 8
        assert [name for name in own if name not in text] == []
        assert [name for name in line["resource"]["attributes"] if name not in text] == ["service.name"]
        (user,) = own["dpl.nen7513.users"]
        assert set(user) == USER
        # Without the extension it is a line of the log like any other.
        core = {name: told for name, told in line["attributes"].items() if name.startswith("dpl.core.")}
        position = line["attributes"]["exchange.position"]
        valid(line | {"attributes": core | {"exchange.position": position}})
        omitted = {name.partition(".")[2] for name in line["attributes"]["exchange.omitted"]}
        assert omitted <= {word.strip(" ,") for word in text.split()} | {""}
