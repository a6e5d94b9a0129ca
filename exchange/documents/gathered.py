"""What was gathered for one resident, as a file: the answers of the exchange by the names of its contract.

Promises: read strictly where a document rests on it and not at all where it does not; a fault is named by its
place and repeats no value. What is known of staff is not read: it cannot get into a document.
Source: protos/exchange/v1 (the JSON form of its messages); adapters/sdk/access.py, which gathers it.
"""

from __future__ import annotations

from datetime import datetime  # noqa: TC003 -- msgspec reads the annotations
from typing import Any, Final, TypeVar

import msgspec

from exchange.errors import RequestInvalid

GATHERED_BYTES_MAX: Final = 256 * 1024 * 1024

T = TypeVar("T")


class Processing(msgspec.Struct, frozen=True):
    """Why something was processed."""

    purpose: str = ""
    legal_basis: str = ""
    title: str = ""
    citation: str = ""
    categories: tuple[str, ...] = ()
    retention_rule: str = ""
    activity_uri: str = ""


class Recipient(msgspec.Struct, frozen=True):
    """Who received something."""

    organisation: str = ""
    task: str = ""
    last_time: datetime | None = None


class Source(msgspec.Struct, frozen=True):
    """Who recorded something, and how long it is kept."""

    organisation: str = ""
    task: str = ""
    retention_years: int = 0
    retention_citation: str = ""


class Right(msgspec.Struct, frozen=True):
    """A right."""

    article: str = ""


class Limit(msgspec.Struct, frozen=True):
    """A restriction or an objection."""

    limit_id: str = ""
    state: str = ""
    limited_purpose: str = ""
    recipient: str = ""


class Covered(msgspec.Struct, frozen=True):
    """Which leaves it covers. The keys that find them stay in the file: they are in no document."""

    log_size: int = 0
    leaf_indexes: tuple[int, ...] = ()


class Answer(msgspec.Struct, frozen=True):
    """The answer on access."""

    processings: tuple[Processing, ...] = ()
    recipients: tuple[Recipient, ...] = ()
    sources: tuple[Source, ...] = ()
    rights: tuple[Right, ...] = ()
    limits: tuple[Limit, ...] = ()
    covered: Covered = Covered()


class Looked(msgspec.Struct, frozen=True):
    """One decision on the resident's data; `professional` is not among it."""

    decision_id: str = ""
    decide_time: datetime | None = None
    organisation: str = ""
    task: str = ""
    purpose: str = ""
    legal_basis: str = ""
    action: str = ""
    outcome: str = ""
    rules: tuple[str, ...] = ()
    released_fields: tuple[str, ...] = ()
    withheld_fields: tuple[str, ...] = ()
    explanation: str = ""
    leaf_index: int = 0
    abort_time: datetime | None = None


class Gathered(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Everything of one resident. `gathered_at` is when, UTC; `author` who made the answer.

    `organisations` are names by OIN, `articles` where the law says it, by the id of a basis: either may lack.
    """

    gathered_at: datetime
    author: str = ""
    answer: Answer = Answer()
    plan: dict[str, Any] = {}
    consents: tuple[dict[str, Any], ...] = ()
    representatives: tuple[dict[str, Any], ...] = ()
    disclosures: tuple[Looked, ...] = ()
    requests: tuple[dict[str, Any], ...] = ()
    receipts: tuple[dict[str, Any], ...] = ()
    withheld: dict[str, tuple[str, ...]] = {}
    organisations: dict[str, str] = {}
    articles: dict[str, str] = {}

    def article(self, basis: str) -> str:
        """Return where the law says it, of a basis with its version; empty where nobody knows."""
        said = (one.citation for one in self.answer.processings if one.legal_basis == basis)
        return next(said, "") or self.articles.get(basis.partition("@")[0], "")

    @property
    def empty(self) -> bool:
        """Tell whether there is nothing of anybody: he is not known here, or was erased."""
        return not (self.plan or self.disclosures or self.consents or self.answer.covered.leaf_indexes)


def read_gathered(data: bytes) -> Gathered:
    """Return what a file holds. Raises RequestInvalid that names the place of a fault."""
    if len(data) > GATHERED_BYTES_MAX:
        raise RequestInvalid("the file is too large", {"file": f"must be at most {GATHERED_BYTES_MAX} bytes"})
    # Numbers of 64 bits are texts in the JSON form of the contract.
    found = read_strictly(data, Gathered)
    if found.gathered_at.tzinfo is None:
        raise RequestInvalid("the file cannot be read", {"gathered_at": "must name its offset from UTC"})
    return found


def read_strictly(data: bytes, kind: type[T]) -> T:
    """Return JSON as what it must be. Raises RequestInvalid that names the place and repeats no value."""
    try:
        return msgspec.convert(msgspec.json.decode(data), kind, strict=False)
    except msgspec.ValidationError as error:
        what, _, place = str(error).partition(" - at `")
        named = place.rstrip("`").removeprefix("$.") or "file"
        said = "has a field that is not known" if "unknown field" in what else "is of another form"
        raise RequestInvalid("the file cannot be read", {named: said}) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise RequestInvalid("the file cannot be read", {"file": "must be JSON in UTF-8"}) from None
