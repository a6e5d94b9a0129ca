"""Every failure the exchange names, as a tree: code, remedy, and whether trying again can help.

Promises: a message never holds personal data; `metadata` repeats the changing parts of the message.
Source: AIP-193 (errors), google.rpc.Status. The one table to gRPC codes is `exchange/server/status.py`.
"""

from __future__ import annotations

from typing import Any


class ExchangeError(Exception):
    """Root of the tree. `metadata` values are short and never personal."""

    code = "INTERNAL"
    remedy = "Report this to the operator with the request id."
    retry_after_ms: int | None = None

    def __init__(self, message: str, **metadata: str) -> None:
        super().__init__(message)
        self.message = message
        self.metadata = metadata

    def __str__(self) -> str:
        if not self.metadata:
            return self.message
        parts = ", ".join(f"{key}={value}" for key, value in sorted(self.metadata.items()))
        return f"{self.message} ({parts})"


# --- the caller's request -------------------------------------------------------------------------


class RequestInvalid(ExchangeError):
    """The request breaks a rule of its shape; `fields` maps a field path to what is wrong there."""

    code = "REQUEST_INVALID"
    remedy = "Correct the named fields and send the request again under a new request id."

    def __init__(self, message: str, fields: dict[str, str] | None = None, **metadata: str) -> None:
        super().__init__(message, **metadata)
        self.fields = dict(fields or {})


class RequestTooLarge(RequestInvalid):
    """A message, list or text is over its limit."""

    code = "REQUEST_TOO_LARGE"
    remedy = "Split the request; the limits stand in exchange/README.md."


class RequestIdReused(ExchangeError):
    """The request id was used before for other content."""

    code = "REQUEST_ID_REUSED"
    remedy = "Draw a new request id for new content; repeat the same content to get the same answer."


class VersionConflict(ExchangeError):
    """Somebody else changed the aggregate first; metadata: expected, found.

    `differs` is what changed of what the caller may read, where he said what he had seen, and `detail` how
    the door tells it: no part of the message, and never logged.
    """

    code = "VERSION_CONFLICT"
    remedy = "Read the latest version, look at what changed, and decide again."

    def __init__(self, message: str, *, differs: object = None, **metadata: str) -> None:
        super().__init__(message, **metadata)
        self.differs = differs
        self.detail: Any = None  # a message of the contract


class RuleBroken(ExchangeError):
    """A rule of the domain does not allow this now; metadata `rule` names it."""

    code = "RULE_BROKEN"
    remedy = "Read the rule named in the message; the state must change before this can succeed."


class BsnRefused(RequestInvalid):
    """A value looks like a BSN, or fails the check a BSN must pass. Never repeats the digits."""

    code = "BSN_REFUSED"
    remedy = "Blind the BSN in the adapter; the exchange never accepts one."


# --- who is asking ----------------------------------------------------------------------------------


class CallerUnknown(ExchangeError):
    """The certificate is absent, foreign, expired or not registered."""

    code = "CALLER_UNKNOWN"
    remedy = "Register the certificate's thumbprint with the operator, or renew the certificate."


class PersonTokenInvalid(ExchangeError):
    """The person token is absent, expired, of another organisation, or not bound to this certificate."""

    code = "PERSON_TOKEN_INVALID"
    remedy = "Sign a new person token with this organisation's key, bound to this certificate."


class SignatureInvalid(ExchangeError):
    """The signature under a command is absent, doubled, or not this organisation's over these very bytes."""

    code = "SIGNATURE_INVALID"
    remedy = (
        "Sign the bytes as sent, with the key registered beside this certificate, as adapters/README.md says."
    )


class AccessDenied(ExchangeError):
    """The gate refused. Known and unknown residents are refused alike.

    `rules` are the rule ids, `explanation` what the requester may know, `remedies` what can be done.
    """

    code = "ACCESS_DENIED"
    remedy = "Read the rules named; each has its own remedy."

    def __init__(
        self,
        message: str,
        *,
        rules: tuple[str, ...] = (),
        decision_id: str = "",
        explanation: str = "",
        remedies: tuple[str, ...] = (),
        obligations: tuple[str, ...] = (),
    ) -> None:
        super().__init__(message, rules=",".join(rules), decision_id=decision_id)
        self.rules = rules
        self.decision_id = decision_id
        self.explanation = explanation
        self.remedies = remedies
        self.obligations = obligations


# --- the service --------------------------------------------------------------------------------------


class Unavailable(ExchangeError):
    """The service cannot do this now and nothing was recorded."""

    code = "UNAVAILABLE"
    remedy = "Try again with the same request id after the time named."
    retry_after_ms = 250


class StoreUnavailable(Unavailable):
    """The event store did not answer or did not commit; nothing was acknowledged."""

    code = "STORE_UNAVAILABLE"


class OutcomeOpen(StoreUnavailable):
    """It may stand, or not: the event store did not say, or what comes behind its commit is not done yet."""

    code = "OUTCOME_OPEN"
    remedy = "Ask again with the same request id: the answer tells what was recorded."


class StoreFull(StoreUnavailable):
    """The disk is full; nothing was acknowledged."""

    code = "STORE_FULL"
    remedy = "Free space on the data disk (`exchange doctor`); then try again with the same request id."


class Overloaded(Unavailable):
    """A bounded queue is full."""

    code = "OVERLOADED"


class QuotaExceeded(Overloaded):
    """This organisation asks more than its share; metadata: limit."""

    code = "QUOTA_EXCEEDED"
    remedy = "Wait the time named, then send the same request; ask the operator for a larger share if needed."

    def __init__(self, message: str, *, retry_after_ms: int, **metadata: str) -> None:
        super().__init__(message, **metadata)
        self.retry_after_ms = retry_after_ms


class SecondPartyUnavailable(Unavailable):
    """The party that holds the other half of the identity key does not answer; nothing was recorded."""

    code = "SECOND_PARTY_UNAVAILABLE"
    remedy = "Try again with the same request id; the operator looks whether the second party runs."
    retry_after_ms = 2_000


class AnswerTooLarge(ExchangeError):
    """What was asked is more than one answer holds; decided and recorded, not delivered. metadata: bytes."""

    code = "ANSWER_TOO_LARGE"
    remedy = "Ask fewer fields, or smaller pages; the limit stands in exchange/README.md."


class Draining(Unavailable):
    """The service is stopping."""

    code = "DRAINING"


class DeadlineTooClose(Unavailable):
    """The caller's deadline passed before the walk ended; the outcome may be either."""

    code = "DEADLINE_EXCEEDED"
    remedy = "Ask again with the same request id: the answer is the recorded one."


class HistoryUnreadable(ExchangeError):
    """A stored event has a topic or shape this version does not know."""

    code = "HISTORY_UNREADABLE"
    remedy = "Run a version of the exchange that knows this topic; the store is newer than the code."


# --- keys -----------------------------------------------------------------------------------------------


class StoreOutdated(ExchangeError):
    """The event store is of an older version than the code."""

    code = "STORE_OUTDATED"
    remedy = "Stop the service, make a backup, run `exchange store migrate`, and start the service again."


class KeyUnavailable(ExchangeError):
    """The key store cannot be reached or lacks the key."""

    code = "KEY_UNAVAILABLE"
    remedy = "Check the key database (`exchange doctor`); nothing was opened."


class KeyMadeElsewhere(KeyUnavailable):
    """Another node made the first key of the same resident at the same moment; nothing was recorded."""

    code = "KEY_MADE_ELSEWHERE"
    remedy = "Try again with the same request id."
    retry_after_ms = 250


class SecondPartyRefused(KeyUnavailable):
    """The party that holds the other half of the identity key did not prove that it used it."""

    code = "SECOND_PARTY_REFUSED"
    remedy = "Compare `identity_second_party_key` with what the second party itself says its key is."


class KeyDestroyed(KeyUnavailable):
    """The key was destroyed on purpose (erasure)."""

    code = "KEY_DESTROYED"
    remedy = "Nothing can be done: the data were erased."


class KeysBehindEvents(KeyUnavailable):
    """The key database is missing, or older than the events sealed under it; metadata: position or file."""

    code = "KEYS_BEHIND_EVENTS"
    remedy = (
        "Restore the newest backup of the key folder, made after the event named; erasures are carried out "
        "in it again at the start. Never start with an empty key database: no other opens what is sealed."
    )


class ErasureListBroken(ExchangeError):
    """A line of the list of erasures was altered, taken out or written by another; metadata: file, line."""

    code = "ERASURE_LIST_BROKEN"
    remedy = (
        "Restore the list from its own copy, or move it away: at the next start it is made again from the "
        "events. Where the events were restored from before an erasure, only the copy names that erasure."
    )


class SealBroken(ExchangeError):
    """A ciphertext does not open under its own envelope: moved, altered, or another key."""

    code = "SEAL_BROKEN"
    remedy = "Run `exchange store verify`; restore the store from a backup if it names this event."


class GroupElementInvalid(RequestInvalid):
    """Bytes that are not a ristretto255 element, or are its identity."""

    code = "GROUP_ELEMENT_INVALID"
    remedy = "Blind the identifier with the SDK (RFC 9497, ristretto255-SHA512)."


class PseudonymOutdated(RequestInvalid):
    """A pseudonym of an earlier identity key; told alike for residents known and unknown."""

    code = "PSEUDONYM_OUTDATED"
    remedy = (
        "Take the new public key from the operator into the pin, blind the BSN again and replace the stored"
        " pseudonym; without a BSN, call GetIdentity."
    )


# --- ledger ---------------------------------------------------------------------------------------------


class ProofInvalid(ExchangeError):
    """A proof, checkpoint or pack does not verify; metadata `place` names where."""

    code = "PROOF_INVALID"
    remedy = "Do not rely on this proof; ask for a new one and keep this one as evidence."


class ForkRefused(ExchangeError):
    """The store's history differs from the last signed checkpoint."""

    code = "FORK_REFUSED"
    remedy = "The store was rolled back or rewritten: restore the newest backup; never delete the checkpoint."


class LedgerDiffers(ExchangeError):
    """Events and leaves do not match; metadata `position` names the first difference."""

    code = "LEDGER_DIFFERS"
    remedy = "Stop the service and restore; `exchange store verify` lists every difference."


class WitnessObjects(ExchangeError):
    """A witness holds another history of this log, or says so; metadata names the first file of evidence."""

    code = "WITNESS_OBJECTS"
    remedy = (
        "Compare the two notes in each file of the folder `evidence` and ask the witness's organisation; "
        "restore what was rolled back; a witness that forgot goes on under a new key in a new folder; "
        "move the files away only when each is explained."
    )


class WitnessesMissing(Unavailable):
    """Too few witnesses cosigned what was published; metadata: missing."""

    code = "WITNESSES_MISSING"
    remedy = "Ask the organisations named to start their witness; the log goes on, its proofs lack a quorum."


# --- settings ---------------------------------------------------------------------------------------------


class SettingsInvalid(ExchangeError):
    """A setting is unknown, missing or weaker than the mode allows."""

    code = "SETTINGS_INVALID"
    remedy = "Correct the named setting; `exchange config show` prints what is in force."


class DocumentNotSet(ExchangeError):
    """A document is too long, or its template cannot be set."""

    code = "DOCUMENT_NOT_SET"
    remedy = "Ask JSON or CSV, which hold the same; report the kind of the document, never its content."


class DataFolderInUse(SettingsInvalid):
    """Another service holds the data folder; metadata: data."""

    code = "DATA_FOLDER_IN_USE"
    remedy = "Stop the service that runs there (its pid stands in `service.json`), or name another folder."


class RegisterInvalid(SettingsInvalid):
    """A legal-basis register entry is malformed; metadata: file, entry, key."""

    code = "REGISTER_INVALID"
    remedy = "Correct the named key of the named entry; nothing of the file was loaded."


class CaseFileInvalid(SettingsInvalid):
    """A decision-case file has an unknown fact or a wrong type; metadata: case, key."""

    code = "CASE_FILE_INVALID"
    remedy = "Correct the named fact; GATE facts are listed in exchange/gate/README.md."
