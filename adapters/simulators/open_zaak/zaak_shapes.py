"""The fields of a case and of what belongs to it, of a decision, and of a document: one table each.

Source: Zaken API 1.5.1, Besluiten API 1.1.0, Documenten API 1.4.2.
"""

from __future__ import annotations

from typing import Final

from adapters.simulators.open_zaak.shapes import (
    CONFIDENTIALITY,
    CONTENT,
    DAY,
    FLAG,
    MOMENT,
    NOT_HELD,
    RSIN,
    Shape,
    choice,
    many,
    number,
    table,
    text,
    url,
)

_REFERENCE: Final = text(40)
_SHORT_URL: Final = url(200)

ZAAK: Final[Shape] = {
    "identificatie": text(40),
    "bronorganisatie": RSIN,
    "omschrijving": text(80),
    "toelichting": text(1_000),
    "zaaktype": url(),
    "registratiedatum": DAY,
    "verantwoordelijkeOrganisatie": RSIN,
    "startdatum": DAY,
    "einddatumGepland": DAY.or_null,
    "uiterlijkeEinddatumAfdoening": DAY.or_null,
    "publicatiedatum": DAY.or_null,
    "laatstGeopend": MOMENT.or_null,
    "communicatiekanaal": url(),
    "communicatiekanaalNaam": text(250),
    "productenOfDiensten": many(url()),
    "vertrouwelijkheidaanduiding": choice(*CONFIDENTIALITY),
    "betalingsindicatie": choice(
        "nvt", "nog_niet", "gedeeltelijk", "geheel", "gefactureerd", "gecrediteerd", "betaald", ""
    ),
    "laatsteBetaaldatum": MOMENT.or_null,
    "selectielijstklasse": url(),
    "kenmerken": many(table({"kenmerk": _REFERENCE, "bron": _REFERENCE}, "kenmerk", "bron")),
    "archiefnominatie": choice("blijvend_bewaren", "vernietigen", "").or_null,
    "archiefstatus": choice(
        "nog_te_archiveren", "gearchiveerd", "gearchiveerd_procestermijn_onbekend", "overgedragen"
    ),
    "archiefactiedatum": DAY.or_null,
    "opdrachtgevendeOrganisatie": RSIN,
    "processobjectaard": text(200),
    "startdatumBewaartermijn": DAY.or_null,
    "hoofdzaak": NOT_HELD.or_null,
    "zaakgeometrie": NOT_HELD.or_null,
    "verlenging": NOT_HELD.or_null,
    "opschorting": NOT_HELD.or_null,
    "relevanteAndereZaken": NOT_HELD,
    "gerelateerdeZaken": NOT_HELD,
    "processobject": NOT_HELD.or_null,
}
STATUS: Final[Shape] = {
    "zaak": url(),
    "statustype": url(),
    "datumStatusGezet": MOMENT,
    "statustoelichting": text(1_000),
    "gezetdoor": NOT_HELD.or_null,
}
RESULTAAT: Final[Shape] = {"zaak": url(), "resultaattype": url(), "toelichting": text(1_000)}
PERSON: Final[Shape] = {
    "inpBsn": text(9, 9),
    "anpIdentificatie": text(17),
    "inpA_nummer": text(10, pattern="^[1-9][0-9]{9}$"),
    "geslachtsnaam": text(200),
    "voorvoegselGeslachtsnaam": text(80),
    "voorletters": text(20),
    "voornamen": text(200),
    "geslachtsaanduiding": choice("m", "v", "o", ""),
    "geboortedatum": text(18),
    "verblijfsadres": NOT_HELD.or_null,
    "subVerblijfBuitenland": NOT_HELD.or_null,
}
ROL: Final[Shape] = {
    "zaak": url(),
    "betrokkene": url(),
    # One kind of those of the standard; what the others hold differs by kind.
    "betrokkeneType": choice("natuurlijk_persoon"),
    "afwijkendeNaamBetrokkene": text(625),
    "roltype": url(),
    "roltoelichting": text(1_000),
    "indicatieMachtiging": choice("gemachtigde", "machtiginggever", ""),
    "contactpersoonRol": NOT_HELD.or_null,
    "beginGeldigheid": DAY.or_null,
    "eindeGeldigheid": DAY.or_null,
    "betrokkeneIdentificatie": table(PERSON),
    "authenticatieContext": NOT_HELD.or_null,
}
ZAAKOBJECT: Final[Shape] = {
    "zaak": url(),
    "object": url(),
    "zaakobjecttype": NOT_HELD,
    "objectType": choice("overige"),
    "objectTypeOverige": text(100, pattern="[a-z_]+"),
    "objectTypeOverigeDefinitie": NOT_HELD.or_null,
    "relatieomschrijving": text(80),
    "objectIdentificatie": NOT_HELD,
}
ZAAKEIGENSCHAP: Final[Shape] = {"zaak": url(), "eigenschap": url(), "waarde": text(least=1)}
ZAAKINFORMATIEOBJECT: Final[Shape] = {
    "zaak": url(),
    "informatieobject": url(),
    "titel": text(200),
    "beschrijving": text(),
    "vernietigingsdatum": MOMENT.or_null,
    "status": NOT_HELD.or_null,
}
BESLUIT: Final[Shape] = {
    "identificatie": text(50),
    "verantwoordelijkeOrganisatie": RSIN,
    "besluittype": _SHORT_URL,
    "zaak": _SHORT_URL,
    "datum": DAY,
    "toelichting": text(),
    "bestuursorgaan": text(50),
    "ingangsdatum": DAY,
    "vervaldatum": DAY.or_null,
    "vervalreden": choice("tijdelijk", "ingetrokken_overheid", "ingetrokken_belanghebbende", ""),
    "publicatiedatum": DAY.or_null,
    "verzenddatum": DAY.or_null,
    "uiterlijkeReactiedatum": DAY.or_null,
}
BESLUITINFORMATIEOBJECT: Final[Shape] = {"besluit": url(), "informatieobject": url()}
DOCUMENT: Final[Shape] = {
    "identificatie": text(40),
    "bronorganisatie": RSIN,
    "creatiedatum": DAY,
    "titel": text(200, 1),
    "vertrouwelijkheidaanduiding": choice(*CONFIDENTIALITY, ""),
    "auteur": text(200, 1),
    "status": choice("in_bewerking", "ter_vaststelling", "definitief", "gearchiveerd", ""),
    "formaat": text(255),
    "taal": text(3, 3),
    "bestandsnaam": text(255),
    "inhoud": CONTENT.or_null,
    "bestandsomvang": number().or_null,
    "link": _SHORT_URL,
    "beschrijving": text(1_000),
    "ontvangstdatum": DAY.or_null,
    "verzenddatum": DAY.or_null,
    "indicatieGebruiksrecht": FLAG.or_null,
    "verschijningsvorm": text(),
    "ondertekening": NOT_HELD.or_null,
    "integriteit": NOT_HELD.or_null,
    "informatieobjecttype": _SHORT_URL,
    "trefwoorden": many(text(100, 1)),
}
