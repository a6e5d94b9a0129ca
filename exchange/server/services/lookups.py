"""LookupReviewService: lookups that nothing explains, for the privacy officer (GDPR 39).

Promises: counts come without people; names and samples have rooms of their own; each reading is itself a
recorded decision. The operator's officer sees every organisation, another's only his own.
Source: GDPR 5(1)(f), 24, 32, 39(1)(b); exchange/decisions/0134-names-take-two-persons.md.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Final

from exchange.projections.lookups.rules import RULES_VERSION
from exchange.server.contract.copies import copies_of
from exchange.server.contract.labels import labels_of
from exchange.server.interceptor import Unary
from exchange.server.services import lookup_names, lookup_samples
from exchange.server.services.lookup_asking import leaves_of, look, month_of_request, of_month
from exchange.v1 import lookup_review_service_pb2 as pb

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from exchange.projections.lookups.counting import Cell
    from exchange.server.house import Call

_CELLS: Final = labels_of(pb.ListLookupCellsResponse.DESCRIPTOR)


async def list_lookup_cells(call: Call, request: pb.ListLookupCellsRequest) -> pb.ListLookupCellsResponse:
    """Count a month."""
    month = month_of_request(request.month)
    outcome = await look(call, request, _CELLS)
    found: Sequence[Cell] = await of_month(call, outcome, partial(call.house.parts.lookups.cells, month))
    answer = pb.ListLookupCellsResponse(decision_id=outcome.decision_id)
    copies, leaves = copies_of(pb.LookupCell.DESCRIPTOR), leaves_of(outcome, "cells")
    for cell in found:
        if outcome.captured in {"", cell.organisation}:
            counted, told = _Counted(cell), answer.cells.add()
            for leaf in leaves:
                copies[leaf](counted, told)
    return answer


class _Counted:
    """One cell, with the counts of its kinds under the names of the contract's fields."""

    def __init__(self, cell: Cell) -> None:
        self.rules_version = RULES_VERSION
        self._cell = cell
        self._kinds = {f"by_{_field(name)}": count for name, count in cell.explanations}
        self._kinds |= {_field(name): count for name, count in cell.indicators}

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 -- a word or a count
        return getattr(self._cell, name) if name in self._cell._fields else self._kinds.get(name, 0)


def _field(rule: str) -> str:
    return rule.lower().replace("-", "_")


RPCS: Final[Mapping[str, Unary]] = {
    "ListLookupCells": Unary(pb.ListLookupCellsRequest, list_lookup_cells),
    **lookup_names.RPCS,
    **lookup_samples.RPCS,
}
