"""Where a client leaves the receipts of its commands: a book of the adapter's own.

Promises: a receipt is kept before the answer it came with is given on; what is erased of a plan takes its
receipts along before that is confirmed. Which book: `kit/receipts.py` for the adapters of this repository.
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
        """Keep a receipt of a command about a plan, or about none; the same again is one.

        What it raises ends the call: the command stands, and is repeated under its request id.
        """

    def expect(self, erasure_id: str, plan_ids: Iterable[str]) -> None:
        """Erase the receipts about the plans of an erasure that was asked, whoever will answer it."""

    def erase(self, erasure_id: str) -> bool:
        """Have them erased before it is answered; tell whether there were any."""

    def prove(self, ask: Callable[[int], GetReceiptResponse]) -> None:
        """Fetch what proves some of the receipts, by their leaf; what cannot be asked now waits."""

    def close(self) -> None:
        """Close the book."""


def plan_of(request: Any, answer: Any) -> str:  # noqa: ANN401 -- any rpc's messages
    """Return the plan that a command was about, by what it asked or what it made; empty where about none."""
    return str(getattr(request, "plan_id", "") or getattr(answer, "plan_id", ""))
