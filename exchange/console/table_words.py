"""Published tables in words: kinds of support, life domains, what a table may cost, what a rule says no with.

Promises: what can be asked here is what the exchange can be asked, and no more; nothing is counted here.
Source: Gemeentelijk Gegevensmodel (life domains); iWmo, code list WMO020 (product categories);
exchange/decisions/0064-published-tables.md.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from exchange.console.language import later
from exchange.v1 import common_pb2 as common
from exchange.v1.common_pb2 import PURPOSE_STATISTIEK, Claim, Necessity

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

PUBLISH_BASIS: Final = "STAT-89"
BUDGET: Final = Claim(purpose=PURPOSE_STATISTIEK, legal_basis="STAT-BUDGET-89")
READ: Final = Claim(purpose=PURPOSE_STATISTIEK, legal_basis="STAT-READ-89")


def publish_claim(why: str) -> Claim:
    """Return the claim of who asks a table: it says what the table is needed for."""
    return Claim(purpose=PURPOSE_STATISTIEK, legal_basis=PUBLISH_BASIS, necessity=Necessity(text=why))


class Cost(NamedTuple):
    """A price, in thousandths of an epsilon; from how many residents it shows, and how far off it is."""

    thousandths: int
    shown_from: int
    error: int


COSTS: Final = (Cost(100, 134, 60), Cost(200, 72, 30), Cost(400, 41, 15), Cost(1_000, 22, 6))
DOMAINS: Final[Mapping[common.LifeDomain.ValueType, str]] = {
    common.LIFE_DOMAIN_FINANCE: later("Financiën"),
    common.LIFE_DOMAIN_WORK_AND_EDUCATION: later("Werk en opleiding"),
    common.LIFE_DOMAIN_USE_OF_TIME: later("Tijdsbesteding"),
    common.LIFE_DOMAIN_HOUSING: later("Huisvesting"),
    common.LIFE_DOMAIN_DOMESTIC_RELATIONS: later("Huiselijke relaties"),
    common.LIFE_DOMAIN_MENTAL_HEALTH: later("Geestelijke gezondheid"),
    common.LIFE_DOMAIN_PHYSICAL_HEALTH: later("Lichamelijke gezondheid"),
    common.LIFE_DOMAIN_SUBSTANCE_USE: later("Middelengebruik"),
    common.LIFE_DOMAIN_BASIC_ADL: later("Basale dagelijkse verrichtingen"),
    common.LIFE_DOMAIN_INSTRUMENTAL_ADL: later("Zelfstandig huishouden"),
    common.LIFE_DOMAIN_SOCIAL_NETWORK: later("Sociaal netwerk"),
    common.LIFE_DOMAIN_SOCIETAL_PARTICIPATION: later("Maatschappelijke participatie"),
}
KINDS: Final[Mapping[str, str]] = {
    "own_network": later("Eigen netwerk"),
    "general_service": later("Algemene voorziening"),
    "custom": later("Maatwerk"),
}
# Of custom support under the Wmo; what youth care is called there has numbers alone.
PRODUCTS: Final[Mapping[str, str]] = {
    "01": later("huishoudelijke hulp"),
    "02": later("begeleiding"),
    "03": later("persoonlijke verzorging"),
    "04": later("kortdurend verblijf"),
    "05": later("woondiensten"),
    "06": later("overige hulp individueel en huishouden"),
    "07": later("dagbesteding"),
    "08": later("vervoerdiensten"),
    "09": later("overige hulp in een groep"),
    "10": later("maatwerkarrangementen"),
    "11": later("rolstoelen"),
    "12": later("vervoervoorzieningen"),
    "13": later("woonvoorzieningen"),
    "14": later("overige hulpmiddelen"),
    "15": later("beschermd wonen"),
    "16": later("opvang"),
    "17": later("spoedopvang"),
    "18": later("overig beschermd wonen en opvang"),
}
SAYS: Final[Mapping[str, str]] = {
    "BUDGET_EXHAUSTED": later("Dit jaar heeft niet zoveel privacybudget meer. Kies een lagere prijs."),
    "TABLES_FULL": later("Dit jaar heeft zoveel tabellen als het kan hebben."),
    "NOT_THE_OPERATOR": later("Alleen de gemeente van deze uitwisseling publiceert tabellen."),
    "BUDGET_SPENT": later("Er is al meer besteed dan dit totaal. Stel een hoger totaal voor."),
    "NO_SUCH_BUDGET": later("Dit totaal wacht niet meer op een tweede persoon. Lees eerst wat er nu wacht."),
    "SAME_PERSON": later("U stelde dit zelf voor. Iemand anders keurt het goed."),
}


def row_in_words(row: str, gettext: Callable[[str], str]) -> str:
    """Return a row of a table as people read it: "Maatwerk 01: huishoudelijke hulp"."""
    kind, _, category = row.partition("/")
    told = gettext(KINDS.get(kind, kind))
    product = PRODUCTS.get(category, "")
    return f"{told} {category}: {gettext(product)}" if product else f"{told} {category}".strip()
