"""Where a client leaves the receipts of its commands: a book of the adapter's own.

Promises: a receipt is kept before the answer it came with is given on; what is erased of a plan or case takes
its receipts along before that is confirmed, and none comes behind it. Which book:
`kit/receipts.py` for the adapters of this repository.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from exchange.v1.common_pb2 import Receipt
    from exchange.v1.ledger_service_pb2 import GetReceiptResponse


class ReceiptKeeper(Protocol):
    """Used by many threads at once."""

    def keep(self, receipt: Receipt, rpc: str, plan_id: str) -> None:
        """Keep a receipt of a command about a plan, else a case, or about none; the same again is one.

        One that comes behind the erasure of what it is about is not written, and that is no error. What
        it raises ends the call: the command stands, and is repeated under its request id.
        """

    def expect(self, erasure_id: str, plan_ids: Iterable[str], until_ms: int = ...) -> None:
        """Erase the receipts about the plans and cases of an erasure that was asked, whoever will answer it.

        `until_ms`, since 1970, is given of a part: what was recorded later is kept.
        """

    def erase(self, erasure_id: str) -> bool:
        """Have them erased before it is answered; tell whether there were any."""

    def answered(self, erasure_id: str) -> None:
        """Forget this erasure: the exchange took the answer, and asks no more."""

    def prove(self, ask: Callable[[int], GetReceiptResponse]) -> None:
        """Fetch what proves some of the receipts, by their leaf; what cannot be asked now waits."""

    def close(self) -> None:
        """Close the book."""


def subject_of(request: Any, answer: Any) -> str:  # noqa: ANN401 -- any rpc's messages
    """Return the plan, or else the case, that a command was about or made; empty where about none."""
    named = (getattr(told, what, "") for what in ("plan_id", "case_id") for told in (request, answer))
    return next((str(one) for one in named if one), "")
