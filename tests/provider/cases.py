"""Cases of the rules for requests and declarations: what is edited, and which rules that breaks."""

from __future__ import annotations

Edits = dict[str, str | None]
Case = tuple[str, Edits, set[str]]

ASKED = "Client/AangevraagdeProducten/AangevraagdProduct"
REQUEST = "Client/Verzoek"
CHANGED = f"{REQUEST}/TeWijzigenProducten/TeWijzigenProduct"
ADDED = f"{REQUEST}/NieuweProducten/NieuwProduct"
KEPT = f"{REQUEST}/OngewijzigdeProducten/OngewijzigdProduct"


def none_of(path: str, *names: str) -> Edits:
    return {f"{path}/{name}": None for name in names}


SIZED = {"Omvang/Volume": "4", "Omvang/Eenheid": "04", "Omvang/Frequentie": "4"}


def sized(path: str, **other: str) -> Edits:
    return {f"{path}/{name}": other.get(name.rpartition("/")[2], text) for name, text in SIZED.items()}


def _with_budget(path: str) -> Edits:
    return {f"{path}/Omvang": None, f"{path}/Budget": "5", f"{path}/Product": None}


CODED: Edits = {f"{ADDED}/Product/Code": "02A03"}
BUDGETED: Edits = _with_budget(ASKED)
OLD_ASK: Edits = {f"{ASKED}/ToewijzingIngangsdatum": "2020-01-01"}
IN_2020: Edits = OLD_ASK | {f"{ASKED}/ToewijzingEinddatum": "2020-12-31"}
OVERLAPPING: Edits = {f"{ASKED}[2]/ToewijzingIngangsdatum": "2027-05-31"}

REQUEST_CASES: list[Case] = [
    ("315", {}, set()),
    ("317", {}, set()),
    ("319", {}, set()),
    ("315", {"Client/Bsn": "999900007"}, {"CS002"}),
    ("317", {"Client/Bsn": "999900007"}, {"CS002"}),
    ("315", {"Client/Geboortedatum/DatumGebruik": "1"}, {"CS139"}),
    ("315", {"Client/Geboortedatum/Datum": "1906-05-19"}, {"TR002"}),
    ("315", {"Client/Geboortedatum/Datum": "1906-05-20"}, set()),
    ("315", {"Client/Geboortedatum/Datum": "2026-05-21"}, {"TR134"}),
    ("315", {"Header/BerichtIdentificatie/Dagtekening": "2026-06-02"}, {"TR135"}),
    ("317", {"Header/BerichtIdentificatie/Dagtekening": "2026-06-02"}, {"TR135"}),
    ("319", {"Header/BerichtIdentificatie/Dagtekening": "2026-06-02"}, {"TR135"}),
    ("319", {"Header/BerichtIdentificatie/Dagtekening": "2026-06-01"}, set()),
    # CS003
    ("315", {f"{ASKED}/ToewijzingEinddatum": "2026-05-31"}, {"CS003"}),
    ("315", {f"{ASKED}/ToewijzingEinddatum": "2026-06-01"}, set()),
    ("317", {f"{CHANGED}/Einddatum": "2026-06-07"}, {"CS003"}),
    ("317", {f"{CHANGED}/Einddatum": "2026-06-08"}, set()),
    ("317", {f"{ADDED}/Einddatum": "2026-06-30"}, {"CS003"}),
    ("317", {f"{ADDED}/Einddatum": "2026-07-01"}, set()),
    # CS338, CS343, CD095, CD096
    ("315", {f"{ASKED}/Omvang/Eenheid": "14", f"{ASKED}/Omvang/Frequentie": "1"}, {"CS343"}),
    ("315", IN_2020 | {f"{ASKED}/Omvang/Eenheid": "14", f"{ASKED}/Omvang/Frequentie": "1"}, set()),
    ("317", {f"{CHANGED}/Omvang/Eenheid": "84", f"{CHANGED}/Omvang/Frequentie": "1"}, {"CS338"}),
    ("317", none_of(ADDED, "Budget") | CODED | sized(ADDED, Eenheid="84", Frequentie="1"), {"CS338"}),
    ("315", {f"{ASKED}/Product/Code": None}, {"CD095"}),
    ("315", IN_2020 | {f"{ASKED}/Product/Code": None}, set()),
    (
        "315",
        OLD_ASK | {f"{ASKED}/Product/Code": None, f"{ASKED}/ToewijzingEinddatum": "2021-01-01"},
        {"CD095"},
    ),
    ("317", none_of(ADDED, "Budget") | sized(ADDED), {"CD096"}),
    # CD041 and CD075 to CD079
    ("315", {f"{ASKED}/Omvang": None}, {"CD041"}),
    ("317", none_of(ADDED, "Budget") | CODED, {"CD041"}),
    ("317", none_of(ADDED, "Budget") | CODED | sized(ADDED), set()),
    ("315", BUDGETED, set()),
    ("315", BUDGETED | {f"{ASKED}/ToewijzingEinddatum": None}, {"CD075", "TR386"}),
    ("317", none_of(ADDED, "Product", "Einddatum"), {"CD075"}),
    ("317", none_of(CHANGED, "Omvang", "Einddatum") | {f"{CHANGED}/Budget": "1"}, {"CD075"}),
    ("315", {f"{ASKED}[2]/ToewijzingEinddatum": None}, {"CD076"}),
    ("317", {f"{CHANGED}/Einddatum": None}, {"CD076"}),
    ("317", {f"{CHANGED}/Einddatum": None, f"{CHANGED}/Omvang/Frequentie": "4"}, set()),
    ("315", {f"{ASKED}/Budget": "5"}, {"CD077", "CD078"}),
    ("317", {f"{CHANGED}/Budget": "5"}, {"CD077", "CD078"}),
    ("317", CODED | sized(ADDED), {"CD077", "CD078"}),
    ("315", none_of(ASKED, "Product", "Omvang"), {"CD079"}),
    ("317", none_of(ADDED, "Product", "Budget"), {"CD079"}),
    # CD043
    ("315", {f"{ASKED}/BeschikkingNummer": None}, {"CD043"}),
    ("315", {f"{ASKED}/BeschikkingIngangsdatum": None}, {"CD043"}),
    ("315", none_of(ASKED, "BeschikkingNummer", "BeschikkingIngangsdatum"), set()),
    # CD066 to CD068
    ("315", {f"{ASKED}/Verwijzer/ZorgverlenerCode": "01234567"}, {"CD066"}),
    ("315", {f"{ASKED}/Verwijzer/Naam": None}, {"CD067"}),
    ("315", {f"{ASKED}/Verwijzer/Naam": None, f"{ASKED}/Verwijzer/ZorgverlenerCode": "01234567"}, set()),
    ("315", {f"{ASKED}/Verwijzer/Naam": None, f"{ASKED}/Verwijzer/Type": "06"}, set()),
    (
        "315",
        {f"{ASKED}/Verwijzer/ZorgverlenerCode": "01234567", f"{ASKED}/Verwijzer/Type": "06"},
        {"CD068"},
    ),
    # References and products once
    ("315", {f"{ASKED}[2]/ReferentieAanbieder": "R-1"}, {"TR101", "TR383"}),
    ("315", OVERLAPPING, {"TR386"}),
    ("315", OVERLAPPING | {f"{ASKED}[2]/Product/Categorie": "03"}, set()),
    (
        "315",
        OVERLAPPING | {f"{ASKED}[1]/Product/Categorie": "11", f"{ASKED}[2]/Product/Categorie": "11"},
        set(),
    ),
    ("317", {f"{KEPT}[2]/ToewijzingNummer": "102"}, {"TR101"}),
    ("317", {f"{KEPT}[2]/ToewijzingNummer": "103"}, set()),
    (
        "317",
        {f"{CHANGED}[2]/ToewijzingNummer": "101", f"{CHANGED}[2]/GewensteIngangsdatum": "2026-06-08"},
        {"TR101"},
    ),
    (
        "317",
        {
            f"{ADDED}[2]/Product/Categorie": "02",
            f"{ADDED}[2]/GewensteIngangsdatum": "2026-07-01",
            f"{ADDED}[2]/Einddatum": "2026-07-02",
            f"{ADDED}[2]/Budget": "1",
        },
        {"TR101", "TR410"},
    ),
    (
        "317",
        {
            f"{ADDED}[2]/Product/Categorie": "02",
            f"{ADDED}[2]/GewensteIngangsdatum": "2027-01-01",
            f"{ADDED}[2]/Einddatum": "2027-01-02",
            f"{ADDED}[2]/Budget": "1",
        },
        set(),
    ),
    # What a change is made of
    ("317", none_of(REQUEST, "OngewijzigdeProducten"), set()),
    ("317", none_of(REQUEST, "OngewijzigdeProducten", "TeWijzigenProducten"), {"TR352"}),
    ("317", none_of(REQUEST, "NieuweProducten"), set()),
    ("317", none_of(REQUEST, "TeWijzigenProducten", "NieuweProducten"), {"TR353"}),
    ("317", {f"{ADDED}/GewensteIngangsdatum": "2026-05-20"}, {"TR380"}),
    ("317", {f"{ADDED}/GewensteIngangsdatum": "2026-05-21"}, set()),
    # Answers
    ("319", {"Antwoord/RedenAfwijzingVerzoek": None}, {"CD085"}),
    ("319", {"Antwoord/VerzoekAntwoord": "2"}, {"CD086"}),
    ("319", {"Antwoord/VerzoekAntwoord": "2", "Antwoord/RedenAfwijzingVerzoek": None}, set()),
]

JW_CASES: list[Case] = [
    ("315", {}, set()),
    ("317", {}, set()),
    ("319", {}, set()),
    ("319", {"Antwoord/Woonplaatsbeginsel": None}, {"TR377"}),
    ("319", {"Antwoord/RedenAfwijzingVerzoek": "2"}, {"TR409"}),
    ("319", {"Antwoord/RedenAfwijzingVerzoek": "2", "Antwoord/Woonplaatsbeginsel": None}, set()),
]

DECLARED = "Declaratie"
LINE = f"{DECLARED}/Clienten/Client/Prestaties/Prestatie"
OTHER = f"{DECLARED}/Clienten/Client[2]/Prestaties/Prestatie"
TOTAL = f"{DECLARED}/TotaalIngediendBedrag"
MONTH = f"{DECLARED}/DeclaratiePeriode"
CREDITED: Edits = {
    f"{OTHER}/ProductReferentie/VorigReferentieNummer": "P-0",
    f"{OTHER}/IngediendBedrag/DebetCredit": "C",
    f"{TOTAL}/TotaalBedrag": "0",
}
IN_EUROS: Edits = {f"{LINE}/Eenheid": "83", f"{LINE}/ProductTarief": None, f"{LINE}/GeleverdVolume": "7500"}
IN_DECEMBER_2020: Edits = {
    f"{LINE}/ProductPeriode/Begindatum": "2020-12-01",
    f"{LINE}/ProductPeriode/Einddatum": "2020-12-31",
}
TWICE: Edits = {
    f"{LINE}[2]/ProductReferentie/ReferentieNummer": "P-3",
    f"{LINE}[2]/ToewijzingNummer": "101",
    f"{LINE}[2]/ProductCategorie": "02",
    f"{LINE}[2]/ProductCode": "02A03",
    f"{LINE}[2]/ProductPeriode/Begindatum": "2026-04-01",
    f"{LINE}[2]/ProductPeriode/Einddatum": "2026-04-30",
    f"{LINE}[2]/GeleverdVolume": "1",
    f"{LINE}[2]/Eenheid": "04",
    f"{LINE}[2]/ProductTarief": "1500",
    f"{LINE}[2]/IngediendBedrag/Bedrag": "1500",
    f"{LINE}[2]/IngediendBedrag/DebetCredit": "D",
    f"{TOTAL}/TotaalBedrag": "16500",
}

DECLARATION_CASES: list[Case] = [
    ("323", {}, set()),
    ("325", {}, set()),
    ("323", {f"{DECLARED}/Clienten/Client/Bsn": "999900007"}, {"CS002"}),
    ("323", {"Header/BerichtIdentificatie/Dagtekening": "2026-06-02"}, {"TR135"}),
    # Periods
    ("323", {f"{MONTH}/Einddatum": "2026-04-29"}, {"CS340"}),
    ("323", {f"{MONTH}/Begindatum": "2026-04-02"}, {"CS340"}),
    ("323", {f"{MONTH}/Begindatum": "2020-12-01", f"{MONTH}/Einddatum": "2020-12-31"}, {"CS100"}),
    ("323", {f"{MONTH}/Begindatum": "2021-01-01", f"{MONTH}/Einddatum": "2021-01-31"}, set()),
    ("323", {f"{MONTH}/Begindatum": "2026-05-01", f"{MONTH}/Einddatum": "2026-05-31"}, {"TR137"}),
    ("323", {f"{MONTH}/Einddatum": "2026-03-31"}, {"TR137", "CS340"}),
    ("323", {f"{LINE}/ProductPeriode/Begindatum": "2026-03-01"}, {"CS337"}),
    ("323", {f"{LINE}/ProductPeriode/Begindatum": "2026-05-21"}, {"TR134", "TR137", "CS337"}),
    ("323", IN_DECEMBER_2020, {"CS100", "TR335"}),
    (
        "323",
        {f"{LINE}/ProductPeriode/Begindatum": "2021-05-01", f"{LINE}/ProductPeriode/Einddatum": "2021-05-19"},
        set(),
    ),
    (
        "323",
        {f"{LINE}/ProductPeriode/Begindatum": "2021-05-01", f"{LINE}/ProductPeriode/Einddatum": "2021-05-18"},
        {"TR335"},
    ),
    ("323", {f"{DECLARED}/DeclaratieDagtekening": "2026-05-21"}, {"TR134"}),
    ("323", {f"{DECLARED}/DeclaratieDagtekening": "2026-05-20"}, set()),
    # Amounts
    ("323", {f"{TOTAL}/TotaalBedrag": "14999"}, {"TR358"}),
    ("323", CREDITED, set()),
    ("323", CREDITED | {f"{TOTAL}/DebetCredit": "C"}, {"CS325"}),
    ("323", CREDITED | {f"{TOTAL}/TotaalBedrag": "15000"}, {"TR358"}),
    (
        "323",
        {f"{LINE}/IngediendBedrag/Bedrag": "0", f"{TOTAL}/TotaalBedrag": "7500"},
        set(),
    ),
    (
        "323",
        {
            f"{LINE}/IngediendBedrag/Bedrag": "0",
            f"{LINE}/IngediendBedrag/DebetCredit": "C",
            f"{LINE}/ProductReferentie/VorigReferentieNummer": "P-0",
            f"{TOTAL}/TotaalBedrag": "7500",
        },
        {"CS325"},
    ),
    ("323", IN_EUROS, set()),
    ("323", IN_EUROS | {f"{LINE}/GeleverdVolume": "7499"}, {"CS339"}),
    ("323", IN_EUROS | {f"{LINE}/ProductTarief": "1"}, {"CD087"}),
    ("323", {f"{LINE}/ProductTarief": None}, {"CD087"}),
    # References
    ("323", {f"{LINE}/ProductReferentie/VorigReferentieNummer": "P-0"}, {"CD060"}),
    ("323", CREDITED | {f"{OTHER}/ProductReferentie/VorigReferentieNummer": None}, {"CD060"}),
    ("323", CREDITED | {f"{OTHER}/ProductReferentie/VorigReferentieNummer": "P-1"}, {"TR316"}),
    ("323", {f"{OTHER}/ProductReferentie/ReferentieNummer": "P-1"}, {"TR101"}),
    ("323", {f"{DECLARED}/Clienten/Client[2]/Bsn": "999900006"}, {"TR101"}),
    (
        "323",
        CREDITED
        | {
            f"{LINE}/ProductReferentie/VorigReferentieNummer": "P-0",
            f"{LINE}/IngediendBedrag/DebetCredit": "C",
            f"{TOTAL}/TotaalBedrag": "15000",
            f"{TOTAL}/DebetCredit": "C",
        },
        {"TR315"},
    ),
    ("323", TWICE, {"TR416"}),
    ("323", TWICE | {f"{LINE}[2]/ProductCode": "02A04"}, set()),
    # The answer
    (
        "325",
        {"DeclaratieAntwoord/Clienten/Client/Prestaties/Prestatie/RetourCodes/RetourCode": "0200"},
        {"TR342"},
    ),
    (
        "325",
        {
            "DeclaratieAntwoord/TotaalToegekendBedrag/TotaalBedrag": "0",
            "DeclaratieAntwoord/TotaalToegekendBedrag/DebetCredit": "C",
        },
        {"CS325"},
    ),
    ("325", {"DeclaratieAntwoord/Clienten/Client/Bsn": "999900007"}, {"CS002"}),
    (
        "325",
        {"DeclaratieAntwoord/Clienten/Client/Prestaties/Prestatie/ProductPeriode/Einddatum": "2026-06-02"},
        {"TR137"},
    ),
]
