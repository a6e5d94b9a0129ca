"""One question to Suwinet and its answer: HTTPS with both certificates, one connection each.

Promises: the address holds no BSN and no redirect is followed; an answer that is too long, too slow or cut
off is no answer; one answer is waited for no longer than the settings say, however its head or body drips in.
Nothing of an answer is returned before it is verified, bound to its question and judged by the schema.
Renewed papers are taken into use between two questions; half of them, or another organisation's, are left.
Source: SOAP 1.1 over HTTP; Digikoppeling (two-way TLS, 1.2 or later); SuwiML Transactiestandaard 4.0.
"""

from __future__ import annotations

import http.client
import ssl
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, Protocol
from urllib.parse import urlsplit
from uuid import uuid4

from cryptography import x509

from adapters.kit.bounded import BoundedConnection, CutOff, TooLong
from adapters.kit.outward import retry_after_s
from adapters.work_income.errors import AnswerRefused, ConfigInvalid, SuwinetUnavailable
from adapters.work_income.soap import Addressing, compose, is_envelope, question, read_answer
from adapters.work_income.wsse import Trusted, load_identity
from adapters.work_income.xml import MESSAGE_BYTES_MAX

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from adapters.sdk.bsn import Bsn
    from adapters.work_income.services import Service
    from adapters.work_income.soap import Period
    from adapters.work_income.wsse import SigningIdentity
    from adapters.work_income.xml import Node

# 200 is an answer; 500 is what SOAP 1.1 gives a fault, and a broken server anything.
_FAILED: Final = 500
_ANSWERED: Final = (200, _FAILED)


class SuwinetPort(Protocol):
    """Whoever is asked."""

    def ask(self, service: Service, bsn: Bsn, period: Period | None = None) -> Node:
        """Return the root of an answer. Raises WorkIncomeError of every kind that stands in errors.py."""

    def renew(self) -> bool:
        """Take renewed papers into use; tell whether there were any. Raises ConfigInvalid once a state."""


FILES: Final = ("ca.pem", "signing.pem", "signing.key", "tls.pem", "tls.key")


@dataclass(frozen=True, slots=True)
class Line:
    """Where Suwinet is and who we are there. `endpoints` are addresses by the name of a service."""

    endpoints: Mapping[str, str]
    trusted: Trusted
    identity: SigningIdentity
    context: ssl.SSLContext = field(repr=False)
    timeout_s: float


def load_line(folder: Path, endpoints: Mapping[str, str], oin: str, timeout_s: float) -> Line:
    """Read ca.pem, signing.pem and signing.key, tls.pem and tls.key. Raises ConfigInvalid."""
    if (folder / "signing.key").is_file() and (folder / "signing.key").stat().st_mode & 0o077:
        raise ConfigInvalid("signing.key is open to others; chmod 600 it and consider it seen")
    try:
        identity = load_identity((folder / "signing.pem").read_bytes(), (folder / "signing.key").read_bytes())
        authorities = x509.load_pem_x509_certificates((folder / "ca.pem").read_bytes())
        context = ssl.create_default_context(cafile=str(folder / "ca.pem"))
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.load_cert_chain(folder / "tls.pem", folder / "tls.key")
    except OSError as error:
        # An SSLError is an OSError too: a file that is there and holds no certificate.
        raise ConfigInvalid(
            f"the credentials for Suwinet cannot be read: {error.strerror or 'PEM'}"
        ) from None
    except ValueError:
        raise ConfigInvalid("ca.pem holds no certificate in PEM") from None
    return Line(endpoints, Trusted(oin, tuple(authorities)), identity, context, timeout_s)


def _utc_now() -> datetime:
    return datetime.now(UTC)


class HttpsSuwinet:
    """Suwinet over HTTPS. One question at a time."""

    def __init__(
        self,
        line: Line,
        now: Callable[[], datetime] = _utc_now,
        fresh_id: Callable[[], str] = lambda: f"urn:uuid:{uuid4()}",
        papers: Path | None = None,
    ) -> None:
        """Ask over a line; `papers` is the folder it was loaded from, where renewed ones come to lie."""
        self._line = line
        self._papers: Final = papers
        self._seen = _state(papers)
        self._now: Final = now
        self._fresh_id: Final = fresh_id

    @property
    def identity(self) -> SigningIdentity:
        """Return who signs now."""
        return self._line.identity

    def renew(self) -> bool:
        """Look at the folder of papers."""
        seen = _state(self._papers)
        if self._papers is None or seen == self._seen:
            return False
        # Remembered first: one fault is told once.
        self._seen, line = seen, self._line
        found = load_line(self._papers, line.endpoints, line.trusted.oin, line.timeout_s)
        if _state(self._papers) != seen:
            self._seen = ()
            raise ConfigInvalid(
                "the credentials for Suwinet changed while they were read; they are read again"
            )
        if found.identity.oin != line.identity.oin:
            raise ConfigInvalid("renewed credentials for Suwinet are of another organisation")
        self._line = found
        return True

    def ask(self, service: Service, bsn: Bsn, period: Period | None = None) -> Node:
        """Ask once; whether to ask again is the caller's to judge."""
        line = self._line
        about = Addressing(
            message_id=self._fresh_id(),
            endpoint=line.endpoints[service.name],
            own_oin=line.identity.oin,
            other_oin=line.trusted.oin,
        )
        body = question(service, bsn, period)
        status, answer = self._post(about.endpoint, compose(service, body, about, line.identity, self._now()))
        # A fault of SOAP comes with 500, and so does the page of a machine that broke before it got to it.
        if status == _FAILED and not is_envelope(answer):
            raise SuwinetUnavailable(f"status-{status}")
        found = read_answer(answer, service, about, line.trusted, self._now())
        told = found.find("ClientSuwi/Burgerservicenr")
        if told is not None and told.text != bsn.reveal():
            raise AnswerRefused("of the resident that was asked for", "ClientSuwi/Burgerservicenr")
        return found

    def _post(self, endpoint: str, content: bytes) -> tuple[int, bytes]:
        address = urlsplit(endpoint)
        connection = BoundedConnection(
            address.hostname or "", address.port, tls=self._line.context, limit_s=self._line.timeout_s
        )
        try:
            headers = {"Content-Type": "text/xml; charset=utf-8", "SOAPAction": '""'}
            connection.request("POST", address.path, content, headers)
            response = connection.getresponse()
            if response.status not in _ANSWERED:
                wait_s = retry_after_s(response.headers["Retry-After"] or "", response.headers["Date"] or "")
                raise SuwinetUnavailable(f"status-{response.status}", wait_s)
            if response.headers.get_content_type() != "text/xml":
                raise SuwinetUnavailable("no-soap")
            return response.status, connection.whole(response, MESSAGE_BYTES_MAX)
        except TimeoutError:
            raise SuwinetUnavailable("timeout") from None
        except ssl.SSLError:
            raise SuwinetUnavailable("tls") from None
        except TooLong:
            raise SuwinetUnavailable("too-long") from None
        except CutOff:
            raise SuwinetUnavailable("cut") from None
        except (OSError, http.client.HTTPException):
            raise SuwinetUnavailable("connection") from None
        finally:
            connection.close()


def _state(papers: Path | None) -> tuple[tuple[int, int, int] | None, ...]:
    """Return what tells one state of a folder from another."""
    return () if papers is None else tuple(_stamp(papers / name) for name in FILES)


def _stamp(file: Path) -> tuple[int, int, int] | None:
    try:
        found = file.stat()
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns, found.st_size
