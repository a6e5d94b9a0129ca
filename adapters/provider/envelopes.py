"""Messages in their GGk envelope: which one came and goes under which number, and what is wrong with one.

Promises: an envelope is judged whole before what it carried is a message here; a number stands for one
message for ever; what goes out again goes under the same number, the same bytes; an envelope that cannot be
taken is answered with its code where it says whom to answer. All in the journal's file; what is kept of an
envelope names nobody.
Source: GGk koppelvlak 2.1.04; list of fault codes of the traffic (IB001 to IB023); GDPR 17.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final
from uuid import UUID

from adapters.provider.arriving import Arriving
from adapters.provider.config import Side
from adapters.provider.errors import EnvelopeRefused, StufCode
from adapters.provider.journal import FORGOTTEN_BYTES, Outgoing
from adapters.provider.schema import Law, all_schemas
from adapters.provider.stuf import CARRYING, FUNCTION_VERSION, PIECE_BYTES, Kind
from adapters.provider.stuf_writing import Letter, write_envelope, write_told
from adapters.provider.transport import Ggk

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import datetime

    from adapters.provider.config import Config
    from adapters.provider.folders import Incoming
    from adapters.provider.journal import Journal, Waiting
    from adapters.provider.stuf import Told

FAULT: Final = "Fo01"
_UNKNOWN: Final = {
    Side.MUNICIPALITY: StufCode.MUNICIPALITY_UNKNOWN,
    Side.PROVIDER: StufCode.PROVIDER_UNKNOWN,
}
_SCHEMA: Final = (
    """CREATE TABLE IF NOT EXISTS envelopes_in (
  number INTEGER PRIMARY KEY, reference TEXT NOT NULL UNIQUE, function TEXT NOT NULL, digest BLOB NOT NULL
) STRICT""",
    "CREATE INDEX IF NOT EXISTS envelopes_in_digest ON envelopes_in (digest)",
    """CREATE TABLE IF NOT EXISTS envelopes_out (
  name TEXT NOT NULL, answers TEXT NOT NULL, reference TEXT NOT NULL UNIQUE, told_at TEXT NOT NULL,
  PRIMARY KEY (name, answers)
) STRICT, WITHOUT ROWID""",
)


def judge(config: Config, told: Told) -> None:
    """Refuse an envelope that is not of our counterparty to us, or whose function does not fit.

    Raises EnvelopeRefused with the first code that fits, in the order in which the traffic checks.
    """
    if told.kind not in CARRYING and told.kind is not Kind.FAULT:
        raise EnvelopeRefused(StufCode.KIND_AND_FUNCTION, "a confirmation answers a call, and is none")
    if told.kind is Kind.FAULT:
        return
    functions = {
        f"{schema.law.value.upper()}{schema.number}": schema
        for schema in all_schemas().values()
        if schema.law is config.law
    }
    schema = functions.get(told.function)
    if schema is None:
        raise EnvelopeRefused(StufCode.FUNCTION_UNKNOWN, "functie is no message of the law we speak")
    if told.function_version != FUNCTION_VERSION:
        raise EnvelopeRefused(StufCode.FUNCTION_NOT_ACTIVE, "functieVersie is another release than 3.2")
    if told.receiver != config.own_code:
        raise EnvelopeRefused(_UNKNOWN[config.side], "ontvanger is somebody else")
    if told.sender != config.counterparty_code:
        raise EnvelopeRefused(StufCode.NOT_AUTHORISED, "zender is not the counterparty of the settings")
    if (told.kind is Kind.RETURN) is not bool(schema.answers):
        raise EnvelopeRefused(StufCode.KIND_AND_FUNCTION, "berichtcode and functie do not go together")
    if told.function not in _theirs(config):
        raise EnvelopeRefused(StufCode.FUNCTION_NOT_YOURS, "functie is a message that we send ourselves")
    if told.plain_text:
        raise EnvelopeRefused(StufCode.PAYLOAD, "a message of the standard is no tekstBestand")


def _theirs(config: Config) -> frozenset[str]:
    """Return the functions the counterparty sends: who sends a message also gets its retour."""
    of_municipality = {"301", "319"}
    theirs = config.side is Side.PROVIDER

    def sends(number: str, answers: str) -> bool:
        by_municipality = (answers or number) in of_municipality
        return (by_municipality is not bool(answers)) is theirs

    law: Law = config.law
    return frozenset(
        f"{law.value.upper()}{one.number}"
        for one in all_schemas().values()
        if one.law is law and sends(one.number, one.answers)
    )


@dataclass(frozen=True, slots=True)
class _Came:
    """An envelope that was taken: what it said it carries, and what it carried."""

    reference: str
    function: str
    digest: bytes

    def carried(self, function: str, digest: bytes) -> bool:
        """Tell whether it carried this, or something about somebody who was forgotten since."""
        return self.function == function and (self.digest == digest or len(self.digest) == FORGOTTEN_BYTES)


class Envelopes:
    """The numbers of envelopes, in the journal's file. Owned by the thread that opened the journal."""

    def __init__(self, config: Config, journal: Journal, fresh: Callable[[], str]) -> None:
        """Open them; `fresh` gives a UUID of version 4 by chance."""
        self._config: Final = config
        self._journal: Final = journal
        self._connection: Final = journal.connection
        self._fresh: Final = fresh
        for statement in _SCHEMA:
            self._connection.execute(statement)

    # --- in -----------------------------------------------------------------------------------------------

    def came(self, told: Told, digest: bytes) -> str:
        """Write down that an envelope carried the bytes with this digest; return the name of their file.

        The same again changes nothing. Raises EnvelopeRefused where its number stands for another message.
        """
        with self._journal.transaction():
            known = self._came(told.reference)
            if known is not None and not known.carried(told.function, digest):
                raise EnvelopeRefused(StufCode.REFERENCE_TAKEN, "referentienummer carried something else")
            if known is None:
                self._connection.execute(
                    "INSERT INTO envelopes_in (reference, function, digest) VALUES (?, ?, ?)",
                    (told.reference, told.function, digest),
                )
        return f"ggk-{told.reference}.xml"

    def forget(self, pseudonym: str) -> None:
        """Keep no hash of what envelopes carried about a person; before who it was about is forgotten."""
        self._connection.execute(
            "UPDATE envelopes_in SET digest = randomblob(?2) WHERE digest IN ("
            "SELECT digest FROM inbox WHERE outbox_name IS NOT NULL AND pseudonym = ?1 "
            "UNION SELECT digest FROM read_about WHERE pseudonym = ?1)",
            (pseudonym, FORGOTTEN_BYTES),
        )

    def require_fit(self, incoming: Incoming) -> None:
        """Refuse a message that is not what its envelope says. Raises EnvelopeRefused."""
        came = self.of_file(incoming.name)
        if came is not None and came.function != incoming.message.name:
            raise EnvelopeRefused(StufCode.PAYLOAD, "it is another message than functie says")

    def require_readable(self) -> None:
        """Raise what a journal that cannot be read raises."""
        self._connection.execute("SELECT 1 FROM envelopes_in LIMIT 1").fetchone()

    def of_file(self, name: str) -> _Came | None:
        """Return the envelope from which a file of the inbox was taken, or None for one that came bare."""
        return self._came(name.removeprefix("ggk-").removesuffix(".xml")) if name.startswith("ggk-") else None

    def _came(self, reference: str) -> _Came | None:
        row = self._connection.execute(
            "SELECT reference, function, digest FROM envelopes_in WHERE reference = ?", (reference,)
        ).fetchone()
        return None if row is None else _Came(*row)

    def fault(self, told: Told) -> str:
        """Take a fault about an envelope of ours: set its message apart. Return its kind, or nothing."""
        with self._journal.transaction():
            row = self._connection.execute(
                "SELECT o.name, o.kind FROM envelopes_out AS e JOIN outbox AS o ON o.name = e.name "
                "WHERE e.reference = ?",
                (told.cross_reference,),
            ).fetchone()
            if row is None:
                return ""
            self._journal.refused(str(row[0]), told.code)
            return str(row[1])

    # --- out ----------------------------------------------------------------------------------------------

    def written(self, waiting: Waiting, now: datetime, *, soap: bool = False) -> Iterator[bytes]:
        """Give a message of the outbox as it leaves the house, by pieces; the same at each attempt."""
        if waiting.kind == FAULT:
            return iter((waiting.content,))
        letter = self.letter(waiting, now)
        return write_envelope(letter, waiting.content, soap=soap)

    def letter(self, waiting: Waiting, now: datetime) -> Letter:
        """Return what stands on the envelope of a message; its number is drawn at the first attempt."""
        answers = self._answered_by(waiting.name)
        with self._journal.transaction():
            self._connection.execute(
                "INSERT OR IGNORE INTO envelopes_out VALUES (?, ?, ?, ?)",
                (waiting.name, answers, self._fresh(), _moment(now)),
            )
            reference, told_at = self._connection.execute(
                "SELECT reference, told_at FROM envelopes_out WHERE name = ? AND answers = ?",
                (waiting.name, answers),
            ).fetchone()
        # A retour to what came bare answers no envelope; the standard wants a number there all the same.
        retour = bool(_answers(waiting.kind, self._config.law))
        return self._addressed(
            Kind.RETURN if retour else Kind.OUTWARD,
            reference,
            told_at,
            cross_reference=answers or reference,
            function=waiting.kind,
        )

    def _answered_by(self, name: str) -> str:
        row = self._connection.execute(
            "SELECT e.reference FROM inbox AS i JOIN envelopes_in AS e ON e.digest = i.digest "
            "WHERE i.outbox_name = ? ORDER BY e.number DESC LIMIT 1",
            (name,),
        ).fetchone()
        return "" if row is None else str(row[0])

    def answer(self, told: Told, refused: StufCode | None, now: datetime, *, soap: bool = False) -> bytes:
        """Return what is answered to who posted: taken, or refused with a code."""
        kind = Kind.TAKEN if refused is None else Kind.REFUSED
        letter = self._addressed(
            kind, self._fresh(), _moment(now), told.reference, code="" if refused is None else refused.value
        )
        return write_told(letter, soap=soap)

    def complain(self, reference: str, refused: StufCode, now: datetime) -> Outgoing:
        """Return the message that tells the counterparty later that an envelope was refused."""
        letter = self._addressed(Kind.FAULT, self._fresh(), _moment(now), reference, code=refused.value)
        name = self.complaint_name(reference, refused)
        return Outgoing(name=name, kind=FAULT, identification=reference, content=write_told(letter))

    @staticmethod
    def complaint_name(reference: str, refused: StufCode) -> str:
        """Return the name of a fault: an envelope has one of a code, however often it is looked at."""
        return f"{FAULT}-{refused.value}-{reference}.xml"

    def _addressed(
        self,
        kind: Kind,
        reference: str,
        told_at: str,
        cross_reference: str = "",
        *,
        function: str = "",
        code: str = "",
    ) -> Letter:
        config, ggk = self._config, self._config.ggk or Ggk()
        return Letter(
            kind=kind,
            sender=config.own_code,
            sender_application=ggk.application,
            receiver=config.counterparty_code,
            receiver_application=ggk.counterparty_application,
            reference=reference,
            told_at=told_at,
            cross_reference=cross_reference,
            function=function,
            code=code,
        )


class Opening:
    """Takes envelopes that came as files out of the inbox and leaves what they carried in their place."""

    def __init__(self, config: Config, envelopes: Envelopes, told: Callable[[str, str], None]) -> None:
        """Open files of the settings' inbox; `told` hears kind and code of a fault about ours."""
        self._config: Final = config
        self._envelopes: Final = envelopes
        self._told: Final = told

    def open(self, content: bytes) -> str | None:
        """Return the name of the file that now lies in the inbox; None where there was nothing to carry.

        Raises EnvelopeRefused, with what was read beside it, and MessageNotReadable.
        """
        arriving = Arriving(self._config, secrets.token_hex(16))
        try:
            for start in range(0, len(content), PIECE_BYTES):
                arriving.feed(content[start : start + PIECE_BYTES])
            told, digest = arriving.whole()
            assert told is not None
            judge(self._config, told)
            if told.kind is Kind.FAULT:
                self._told(self._envelopes.fault(told), told.code)
                return None
            name = self._envelopes.came(told, digest)
            arriving.put(name)
        except EnvelopeRefused as refused:
            reader = arriving.reader
            refused.about = reader.told.reference if reader is not None and reader.kind in CARRYING else ""
            raise
        finally:
            arriving.end()
        return name


def chance_uuid(below: Callable[[int], int]) -> str:
    """Return a UUID of version 4, of chance below a bound."""
    return str(UUID(int=below(1 << 128), version=4))


def _moment(now: datetime) -> str:
    return now.strftime("%Y%m%d%H%M%S")


def _answers(kind: str, law: Law) -> str:
    return next(
        (one.answers for one in all_schemas().values() if one.law is law and one.number == kind[-3:]), ""
    )
