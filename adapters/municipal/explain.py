"""What would become of a case, in words: nothing is sent, nobody is asked.

Promises: holds what the case itself says, and no number of anybody.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from adapters.kit.outward import OutwardError
from adapters.municipal.case_shapes import read_case
from adapters.municipal.errors import ConfigInvalid
from adapters.municipal.exchange_port import CLAIMS, OBJECT_FIELDS, STATE_FIELDS
from adapters.municipal.mapping import plan_of, report_of

if TYPE_CHECKING:
    from adapters.municipal.config import Config


def explain(config: Config, told: dict[str, object]) -> str:
    """Return a few lines. Raises ForAPerson for a case that would wait for one, ConfigInvalid for no case."""
    try:
        zaak = read_case(told)
    except OutwardError as error:
        raise ConfigInvalid(f"the file is no case of the Zaken API: {error.code}") from None
    claim = CLAIMS[config.law]
    if plan_of(zaak):
        return "linked: this case names its plan; it is brought to where the plan is\n"
    if zaak.closed:
        return "nothing: this case is closed and was never linked\n"
    report = report_of(zaak, "", config.names.life_domain)
    fields = (*STATE_FIELDS, *(OBJECT_FIELDS if config.tells_words else ()))
    return "\n".join(
        (
            "report: this case would be reported, once a person is its initiator",
            f"  basis: {claim.legal_basis}",
            f"  desk: {config.desk}",
            f"  own words: {len(report.own_words)} characters",
            f"  life domains: {', '.join(report.domains)}, unless its property names others",
            "  kept from the exchange: the BSN (blinded here), name and address",
            f"  read of the plan afterwards: {', '.join(fields)}",
            "",
        )
    )
