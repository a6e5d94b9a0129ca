"""Why care stopped: the words of the exchange in the codes of iWmo and iJw.

Promises: a word without a code in a law is absent there, and never guessed.
Source: code lists WMO588 and JZ588 of iWmo and iJw 3.2; protos/exchange/v1/plan.proto (StopReason).
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from adapters.provider.codes import JwStopReason, StopReason, WmoStopReason
from adapters.provider.schema import Law
from exchange.v1 import plan_pb2 as pb

if TYPE_CHECKING:
    from collections.abc import Mapping

# Both lists by meaning. Youth help has no code for moving house: that is a cause outside the help.
STOP_REASONS: Final[Mapping[Law, Mapping[int, StopReason]]] = MappingProxyType(
    {
        Law.WMO: MappingProxyType(
            {
                pb.STOP_REASON_ACCORDING_TO_PLAN: WmoStopReason.AS_PLANNED,
                pb.STOP_REASON_DEATH: WmoStopReason.DECEASED,
                pb.STOP_REASON_TEMPORARY: WmoStopReason.TEMPORARY,
                pb.STOP_REASON_BY_RESIDENT: WmoStopReason.BY_RESIDENT,
                pb.STOP_REASON_BY_PROVIDER: WmoStopReason.BY_PROVIDER,
                pb.STOP_REASON_BY_AGREEMENT: WmoStopReason.AGREED_EARLY,
                pb.STOP_REASON_MOVED: WmoStopReason.MOVED,
            }
        ),
        Law.JW: MappingProxyType(
            {
                pb.STOP_REASON_ACCORDING_TO_PLAN: JwStopReason.AS_PLANNED,
                pb.STOP_REASON_DEATH: JwStopReason.DECEASED,
                pb.STOP_REASON_TEMPORARY: JwStopReason.TEMPORARY,
                pb.STOP_REASON_BY_RESIDENT: JwStopReason.BY_RESIDENT,
                pb.STOP_REASON_BY_PROVIDER: JwStopReason.BY_PROVIDER,
                pb.STOP_REASON_BY_AGREEMENT: JwStopReason.AGREED_EARLY,
                pb.STOP_REASON_MOVED: JwStopReason.OUTSIDE_CAUSE,
            }
        ),
    }
)
