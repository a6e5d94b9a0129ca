"""The certificate of an erasure: what was destroyed, when and on what article, with the event itself.

Promises: names nobody; whoever has it and the receipt of its leaf can check it: that leaf holds the SHA-256
of `event`, and `event` says what the statement says. It proves that the keys were ordered destroyed at
that place of the log; that no copy of them was kept elsewhere it cannot prove, and it says where one may be:
in backups of the key database and in a server's own log, wrapped, until these end.
Source: GDPR 5(2), 12(3), 17; the design of the ledger, section 5.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from exchange.domain.erasure.words import ErasureArticle, KeepingReason
from exchange.store.codec import Codec

if TYPE_CHECKING:
    from collections.abc import Mapping

    from exchange.store.batch import Row

STATEMENT_VERSION: Final = 1
ALL: Final = "ALL"
_ARTICLES: Final[Mapping[str, str]] = {
    ErasureArticle.NO_LONGER_NEEDED: "AVG artikel 17, lid 1, onder a (niet langer nodig)",
    ErasureArticle.CONSENT_WITHDRAWN: "AVG artikel 17, lid 1, onder b (toestemming ingetrokken)",
    ErasureArticle.OBJECTED: "AVG artikel 17, lid 1, onder c (bezwaar)",
    ErasureArticle.UNLAWFUL: "AVG artikel 17, lid 1, onder d (onrechtmatig verwerkt)",
    ErasureArticle.OBLIGED: "AVG artikel 17, lid 1, onder e (wettelijke verplichting)",
    ErasureArticle.CHILD_ONLINE: "AVG artikel 17, lid 1, onder f (kind, online verzameld)",
    ErasureArticle.WMO: "Wmo 2015 artikel 5.3.5 (verzoek om vernietiging)",
    ErasureArticle.JEUGDWET: "Jeugdwet artikel 7.3.9 (verzoek om vernietiging)",
    ErasureArticle.TERM_ENDED: "einde van de bewaartermijn",
}
_KEPT_BECAUSE: Final[Mapping[str, str]] = {
    KeepingReason.OTHER_PERSON: "het aanmerkelijk belang van een ander",
    KeepingReason.LAW_FORBIDS: "een wet die het verbiedt",
    KeepingReason.RETENTION_TERM: "een bewaartermijn die nog loopt",
    KeepingReason.EXPRESSION: "de vrijheid van meningsuiting",
    KeepingReason.PUBLIC_HEALTH: "de volksgezondheid",
    KeepingReason.ARCHIVING: "archivering in het algemeen belang",
    KeepingReason.LEGAL_CLAIM: "een rechtsvordering",
    KeepingReason.ARTICLE_NOT_MET: "het artikel is niet van toepassing",
}


def statement_of(row: Row, origin: str) -> dict[str, Any]:
    """Return the statement about the event that destroyed; plain JSON values."""
    clear, meta, _ = Codec.decode_clear(row.state, stream=row.stream, topic=row.topic)
    categories, kept = list(clear["categories"]), list(clear["kept"])
    return {
        "version": STATEMENT_VERSION,
        "erasure_id": clear["erasure_id"],
        "outcome": "PARTIAL" if categories else "EXECUTED",
        "article": clear["article"],
        "reason": clear["reason"],
        "categories": categories or [ALL],
        "kept": kept,
        "at": clear["at"],
        "organisation": meta.organisation,
        "origin": origin,
        "leaf_index": row.position - 1,
        "event": row.state.decode(),
        "tekst": _text(clear, categories, kept),
    }


def statement_text(statement: Mapping[str, Any]) -> str:
    """Return the statement as one JSON text, the same for the same erasure."""
    return json.dumps(statement, ensure_ascii=False, sort_keys=True, indent=1) + "\n"


def _text(clear: Mapping[str, Any], categories: list[str], kept: list[str]) -> str:
    day = str(clear["at"])[:10]
    what = f"de gegevens in de categorieën {', '.join(categories)}" if categories else "alle gegevens"
    text = (
        f"Op {day} zijn {what} van één inwoner gewist. De sleutels zijn vernietigd in de sleuteldatabase: "
        "wat versleuteld is blijven staan, is daarmee niet meer te lezen. In reservekopieën en logbestanden "
        "van die database kunnen de sleutels, zelf versleuteld, nog staan tot die verlopen zijn. "
        f"Grond: {_ARTICLES[clear['article']]}. "
        f"Drie personen hebben dit besloten. Kenmerk: {clear['erasure_id']}. "
    )
    if kept:
        text += f"De rest wordt bewaard wegens {', '.join(_KEPT_BECAUSE[one] for one in kept)}. "
    return text + (
        "Bewijzen van vóór deze dag blijven geldig. Met de sleutels is ook de sleutel weg waarmee in het "
        "logboek regels van deze inwoner te herkennen waren: daarnaar zoeken kan niet meer."
        if not categories
        else "Bewijzen van vóór deze dag blijven geldig."
    )
