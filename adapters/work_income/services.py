"""The four services that are asked, and for which purpose which of them.

Promises: a purpose that is not in this table asks nothing, whatever else goes wrong; what is not needed for a
purpose is not asked for it.
Source: SuwiML, WSDL of the four services; Wet SUWI 62 and 64 (what is necessary for a task in work and
income); Participatiewet 7 and 54.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from adapters.work_income.errors import PurposeRefused

if TYPE_CHECKING:
    from collections.abc import Mapping

_SERVICES_NS: Final = "http://bkwi.nl/SuwiML/Diensten/"
FWI_NS: Final = "http://bkwi.nl/SuwiML/FWI/v0205"


@dataclass(frozen=True, slots=True)
class Service:
    """One service; it has one operation. `question` is the name of its root element."""

    name: str
    version: str
    question: str

    @property
    def namespace(self) -> str:
        """Return the namespace of both root elements."""
        return f"{_SERVICES_NS}{self.name}/{self.version}"

    @property
    def answer(self) -> str:
        """Return the name of the root element of an answer."""
        return f"{self.question}Response"

    @property
    def action(self) -> str:
        """Return the WS-Addressing action of a question; an answer's has `Response` behind it."""
        return f"{_SERVICES_NS}{self.name}-{self.version}/{self.question}"

    @property
    def fault_action(self) -> str:
        """Return the WS-Addressing action of a fault."""
        return f"{_SERVICES_NS}{self.name}-{self.version}/Fout"


WORK_COMPANY: Final = Service("UWVWbDossierPersoonGSD", "v0200", "UwvWbPersoonsInfo")
REINTEGRATION: Final = Service("GSDDossierReintegratie", "v0200", "GSDReintegratieInfo")
ASSISTANCE: Final = Service("Bijstandsregelingen", "v0500", "BijstandsregelingenInfo")
INCOME: Final = Service("UWVDossierInkomstenGSD", "v0200", "UWVPersoonsIkvInfo")
SERVICES: Final[Mapping[str, Service]] = MappingProxyType(
    {one.name: one for one in (WORK_COMPANY, REINTEGRATION, ASSISTANCE, INCOME)}
)
# What each purpose needs, and no more.
SERVICES_OF: Final[Mapping[str, tuple[Service, ...]]] = MappingProxyType(
    {
        "pw-arbeidsinschakeling": (WORK_COMPANY, REINTEGRATION),
        "pw-recht-vaststellen": (ASSISTANCE, INCOME),
    }
)


def services_of(purpose: str) -> tuple[Service, ...]:
    """Return what is asked for a purpose. Raises PurposeRefused."""
    found = SERVICES_OF.get(purpose)
    if found is None:
        raise PurposeRefused("Suwinet is asked for a task in work and income only")
    return found
