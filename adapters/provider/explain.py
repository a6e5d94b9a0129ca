"""Says what the adapter would do with a message, without doing it.

Promises: nothing is sent or stored; who the message is about is only said to be "present"; codes, dates and
amounts of the support are shown, for those are what would be shared.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from adapters.provider.codes import Coded, Frequency, Unit
from adapters.provider.errors import MessageInvalid, MessageRefused
from adapters.provider.retour import read_retour
from adapters.provider.rules import in_message_findings
from adapters.provider.schema import answer_number, table
from adapters.provider.xml import Message, Node, read
from adapters.sdk.bsn import passes_eleven_proof

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import date

LINES_SHOWN_MAX: Final = 50
_CODED: Final[dict[str, type[Coded]]] = {"Eenheid": Unit, "Frequentie": Frequency}


def explain(data: bytes, today: date) -> str:
    """Return, in plain words, what would become of a message; any bytes may be given."""
    try:
        message = read(data)
    except MessageInvalid as error:
        # No retour follows a schema error: the file is refused and its sender is told.
        return _lines("Refused at control level 1; nothing would be sent.", map(str, error.findings))
    except MessageRefused as error:
        return _lines("Refused; nothing would be sent.", [str(error)])
    if message.schema.answers:
        return _lines(*_about_retour(message))
    return _lines(*_about_message(message, today))


def _lines(head: str, rest: Iterator[str] | list[str]) -> str:
    return "\n".join([head, *(f"  {line}" for line in rest)]) + "\n"


def _about_retour(message: Message) -> tuple[str, list[str]]:
    answer = read_retour(message)
    head = f"{message.name}: the answer to a {message.law.value.upper()}{message.schema.answers}."
    if answer.accepted:
        return head, ["accepted: no return codes"]
    return head, [f"{path}: return code {code}" for path, code in answer.codes]


def _about_message(message: Message, today: date) -> tuple[str, list[str]]:
    of = (message.law.value, message.number)
    # Requests, their answers and declarations are between both organisations alone.
    basis = next((row for row in table("bases") if (row["law"], row["message"]) == of), None)
    findings = in_message_findings(message, today)
    outcome = "the answer would refuse it" if findings else "the answer would accept it"
    lines = [
        f"{message.law.value.upper()}{answer_number(message.number)}: {outcome}, rules across messages aside"
    ]
    lines += [f"broken rule {finding}" for finding in findings]
    if basis is None:
        lines.append("nothing of it goes to the exchange: it is judged against the own journal")
    else:
        lines.append(f"purpose {basis['purpose']} on legal basis {basis['basis']}")
    for row in table("sharing"):
        if row["message"] == message.number:
            category = "" if basis is None else basis["category"]
            lines += _about_element(message, row["element"], row["exchange"], row["handling"], category)
    lines.append("nothing was sent")
    return f"{message.name}: control level 1 passed.", lines


def _about_element(
    message: Message, element: str, exchange: str, handling: str, category: str
) -> Iterator[str]:
    parent, _, name = element.partition("/")
    found = [
        (below, child)
        for path, node in message.root.walk()
        if node.name == parent
        for below, child in node.numbered(path)
        if child.name == name
    ]
    for path, node in found[:LINES_SHOWN_MAX]:
        if exchange:
            yield f"{path} = {_shown(node)}: {handling} {exchange} ({category})"
        else:
            yield f"{path}: {handling}"
    if len(found) > LINES_SHOWN_MAX:
        yield f"and {len(found) - LINES_SHOWN_MAX} more of {name}"


def _shown(node: Node) -> str:
    if node.children:
        return " ".join(_shown(child) for child in node.children)
    text = node.text or ""
    # A number typed into the wrong field may be a BSN; better one number hidden too many.
    if not text.isprintable() or passes_eleven_proof(text):
        return "(present)"
    coded = _CODED.get(node.name)
    return text if coded is None else f"{text} {coded.of(text).dutch}"
