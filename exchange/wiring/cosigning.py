"""The witnesses of a running service: their policy file, HTTP to them, and what is kept when one objects.

Promises: an answer is read up to its bound; a question that is called off ends its connection; evidence lies
with what was signed, apart from the events.
Source: c2sp.org/tlog-policy (witnesses, their addresses and the quorum), c2sp.org/tlog-witness.
"""

from __future__ import annotations

import asyncio
import http.client
import socket
import ssl
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from exchange.errors import SettingsInvalid, Unavailable
from exchange.ledger.checkpoint import parse_body
from exchange.ledger.cosigning import ANSWER_BYTES_MAX
from exchange.ledger.evidence import EvidenceFolder, SharedEvidence
from exchange.ledger.note import NOTE_BYTES_MAX, parse_note
from exchange.pipeline.cosigning import Cosigners, Witnessed
from exchange.pipeline.handing import Reply, keep_alarm
from exchange.wiring.witness import read_policy

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from exchange.ledger.checkpoint import Policy
    from exchange.ledger.checkpoints import CheckpointStore
    from exchange.ledger.evidence import Conflict, Evidence
    from exchange.ledger.years import YearLog
    from exchange.settings import Settings
    from exchange.wiring.core import Core

THREADS_MAX: Final = 64
LOG_VALUE_CHARS: Final = 200


class HttpTransport:
    """One connection for each question, in threads of its own. Owned by one event loop; closed at the end."""

    def __init__(self, wait_s: float) -> None:
        self._wait_s = wait_s
        self._tls = ssl.create_default_context()
        self._threads = ThreadPoolExecutor(THREADS_MAX, thread_name_prefix="witnesses")

    async def send(self, url: str, body: bytes | None) -> Reply:
        """Post a body, or get where there is none. Raises Unavailable; ends when it is cancelled."""
        address = urlsplit(url)
        connection = self._connection(address.scheme, address.hostname or "", _port(url))
        asking = asyncio.get_running_loop().run_in_executor(
            self._threads, _exchange, connection, address.path, body
        )
        try:
            return await asyncio.shield(asking)
        except asyncio.CancelledError:
            # The thread waits for the other side: this ends its wait, and nobody asks how.
            asking.add_done_callback(lambda ended: ended.cancelled() or ended.exception())
            _break_off(connection)
            raise
        except (OSError, http.client.HTTPException) as error:
            raise Unavailable("a witness does not answer", kind=type(error).__name__) from error

    def close(self) -> None:
        """Wait for no one."""
        self._threads.shutdown(wait=True, cancel_futures=True)

    def _connection(self, scheme: str, host: str, port: int | None) -> http.client.HTTPConnection:
        if scheme == "https":
            return http.client.HTTPSConnection(host, port, timeout=self._wait_s, context=self._tls)
        return http.client.HTTPConnection(host, port, timeout=self._wait_s)


def _port(url: str) -> int | None:
    try:
        return urlsplit(url).port
    except ValueError as error:
        raise Unavailable("the address of a witness cannot be read") from error


def _exchange(connection: http.client.HTTPConnection, path: str, body: bytes | None) -> Reply:
    try:
        connection.request("GET" if body is None else "POST", path, body)
        answer = connection.getresponse()
        most = NOTE_BYTES_MAX if body is None else ANSWER_BYTES_MAX
        read = answer.read(most)
        if answer.length and len(read) < most:
            raise http.client.IncompleteRead(read, answer.length)
        return Reply(answer.status, read)
    finally:
        connection.close()


def _break_off(connection: http.client.HTTPConnection) -> None:
    line = connection.sock
    if line is not None:
        with suppress(OSError):
            line.shutdown(socket.SHUT_RDWR)


def evidence_of(settings: Settings, checkpoints: CheckpointStore | None = None) -> Evidence:
    """Return where a service keeps what witnesses hold against its log: with what it signed."""
    if settings.checkpoints_postgres and checkpoints is not None:
        return SharedEvidence(checkpoints)
    return EvidenceFolder(settings.checkpoints_folder / "evidence")


def witness_policy(settings: Settings) -> Policy | None:
    """Return the policy that names the witnesses; None where there are none. Raises SettingsInvalid."""
    if settings.witness_policy is None:
        return None
    policy = read_policy(settings.witness_policy)
    if not policy.witnesses:
        raise SettingsInvalid("the policy names no witness", file=settings.witness_policy.name)
    return policy


class Cosigning:
    """What a service needs to have its log cosigned; nothing is asked before it runs."""

    def __init__(self, core: Core, policy: Policy, log: Any, now: Callable[[], datetime]) -> None:  # noqa: ANN401 -- structlog's bound logger has no public type
        settings = core.settings
        self._log = log
        self._now = now
        self._evidence = evidence_of(settings, core.checkpoints)
        self._transport = HttpTransport(settings.witness_wait_s)
        self._policy = policy
        self._wait_s = settings.witness_wait_s
        # A policy that cannot be asked is found at the start, not when a year begins.
        self.cosigners(core.ledger.logs.newest)

    def cosigners(self, log: YearLog) -> Cosigners:
        """Return the witnesses as one log asks them. Raises SettingsInvalid."""
        return Cosigners(
            self._policy, self._transport, log.tiles, log.keys, wait_s=self._wait_s, on_alarm=self._alarm
        )

    def missing(self, found: Witnessed) -> None:
        """Say who is away, and when nobody is any more."""
        tell = self._log.info if found.quorum else self._log.warning
        names = ", ".join(found.missing)[:LOG_VALUE_CHARS]
        size = found.signed.checkpoint.size
        reason = "quorum" if found.quorum else "no quorum"
        tell("witnesses_missing", witness=names, count=len(found.missing), size=size, reason=reason)

    def close(self) -> None:
        """Let go of the threads."""
        self._transport.close()

    def _alarm(self, name: str, conflict: Conflict) -> None:
        kept = keep_alarm(lambda one: self._evidence.keep(one, self._now()), conflict)
        self._log.error("witness_alarm", witness=name[:LOG_VALUE_CHARS], reason=kept)


def witnessed_file(policy: Policy, note: bytes) -> tuple[int, tuple[str, ...], bool]:
    """Return size, missing witnesses and whether there is a quorum, of a published note; ProofInvalid."""
    parsed = parse_note(note)
    signers = frozenset(parsed.signers(policy.witnesses.values()))
    missing = tuple(key.name for key in policy.witnesses.values() if key not in signers)
    return parse_body(parsed.text).size, missing, policy.has_quorum(signers)
