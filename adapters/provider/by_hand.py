"""What a person, or their own system, has the adapter send: a request, its answer, or a declaration.

Promises: what breaks a rule is refused with the rule named before anybody else sees it; the same file again
sends nothing again; the running adapter delivers it. Source: iWmo and iJw 3.2: 315, 317, 319, 323.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from adapters.provider.codes import RequestOutcome, RequestRefusal
from adapters.provider.config import Side
from adapters.provider.declarations import DECLARATION
from adapters.provider.desk import Desk, Surroundings, file_name, require_between_us
from adapters.provider.errors import ConfigInvalid, FileRefused, MessageInvalid
from adapters.provider.exchange_port import SdkExchange
from adapters.provider.journal import Journal
from adapters.provider.municipal_requests import MunicipalRequests
from adapters.provider.parts import read_envelope
from adapters.provider.provider_declarations import ProviderDeclarations
from adapters.provider.provider_requests import ProviderRequests
from adapters.provider.requests import ASK, CHANGE
from adapters.provider.rules import in_message_findings
from adapters.provider.xml import emit, read

if TYPE_CHECKING:
    from collections.abc import Iterator

    from adapters.provider.config import Config
    from adapters.sdk.logs import AdapterLog

SENT_BY_HAND: Final = frozenset({ASK, CHANGE, DECLARATION})


def send(config: Config, data: bytes, log: AdapterLog) -> str:
    """Send a message that our own system made; return its name in the outbox.

    Raises MessageRefused, FileRefused, ConfigInvalid, and the SDK's errors.
    """
    if config.side is not Side.PROVIDER:
        raise ConfigInvalid("only a provider sends requests and declarations; a municipality answers them")
    with opened_desk(config, log) as desk:
        return send_over(desk, data)


def send_over(desk: Desk, data: bytes) -> str:
    """Send a message over an open desk, as `send`."""
    message = read(data)
    if message.number not in SENT_BY_HAND:
        raise FileRefused(f"{message.name} is not sent by hand")
    require_between_us(desk.config, message, ours=True)
    name = file_name(message, read_envelope(message).identification)
    if desk.journal.holds(name, emit(message)):
        return name
    findings = in_message_findings(message, desk.today)
    if findings:
        raise MessageInvalid(f"{message.name} breaks its own rules", findings)
    by = ProviderDeclarations(desk) if message.number == DECLARATION else ProviderRequests(desk)
    try:
        return by.send(message)
    except MessageInvalid:
        # Another hand may have sent this very file at the same moment: then it is sent.
        if desk.journal.holds(name, emit(message)):
            return name
        raise


def answer(
    config: Config,
    number: int,
    outcome: str,
    log: AdapterLog,
    *,
    refusal: str | None = None,
    municipality: str | None = None,
) -> str:
    """Answer a request, by our number of it, in the codes of WJ760 and WJ759; return the name of the 319."""
    if config.side is not Side.MUNICIPALITY:
        raise ConfigInvalid("only a municipality answers a request")
    try:
        said = RequestOutcome.of(outcome)
        why = None if refusal is None else RequestRefusal.of(refusal)
    except ValueError as unknown:
        raise ConfigInvalid(str(unknown)) from None
    with opened_desk(config, log) as desk:
        request = desk.requests.by_number(number)
        if request is None:
            raise ConfigInvalid("there is no request with this number; `status` names them")
        return MunicipalRequests(desk).answer(request, said, why, municipality)


@contextmanager
def opened_desk(config: Config, log: AdapterLog) -> Iterator[Desk]:
    """Open the journal and the exchange beside a running adapter."""
    config.state.mkdir(mode=0o700, parents=True, exist_ok=True)
    exchange = SdkExchange.connect(config)
    journal = Journal(config.journal)
    try:
        yield Desk(config, exchange, journal, log, Surroundings())
    finally:
        journal.close()
        exchange.close()
