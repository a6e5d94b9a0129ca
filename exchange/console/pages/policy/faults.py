"""What is wrong with an entry of the register, in words, at the place in the text where it stands.

Promises: repeats nothing but the person's own lines around the place; a fault that has no words here is
shown as the exchange told it.
Source: exchange/gate/entry.py, exchange/gate/entry_meaning.py, exchange/gate/canonical.py; TOML 1.0.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, NamedTuple

from exchange.console.language import later

if TYPE_CHECKING:
    from collections.abc import Mapping

    from exchange.console.refusals import AnswerRefused

LINES_AROUND: Final = 2
LINE_CHARS_MAX: Final = 300
TEXT: Final = "text"
_PREFIXES: Final = ("a register entry is refused: ", "the register would refuse this entry: ")
_at_line: Final = re.compile(r" \(line (\d{1,7}), column \d{1,7}\)\Z")
_is_table: Final = re.compile(r"\s*\[\[\s*basis\s*\]\]\s*(?:#.*)?").fullmatch
_names_basis: Final = re.compile(r"""\s*id\s*=\s*["']([^"']*)["']""").match

# What the exchange says of an entry, in Dutch, and what to do about it.
WORDS: Final[Mapping[str, tuple[str, str]]] = {
    "this is no TOML": (
        later("De tekst is hier geen TOML."),
        later("Kijk naar aanhalingstekens, haakjes en het is-teken op deze regel."),
    ),
    "a key has too many parts": (
        later("Een sleutel bestaat uit te veel delen."),
        later("Gebruik sleutels van één woord."),
    ),
    "[[basis]] tables are asked": (
        later("Gevraagd zijn tabellen [[basis]], en niets daarnaast."),
        later("Zet boven elke grondslag een regel [[basis]]."),
    ),
    "one [[basis]] table is asked": (
        later("Gevraagd is precies één grondslag."),
        later("Stel elke versie apart voor."),
    ),
    "two versions of one entry share a number": (
        later("Twee versies van één grondslag hebben hetzelfde nummer."),
        later("Geef elke versie een eigen nummer."),
    ),
    "the key is unknown": (
        later("Deze sleutel bestaat niet."),
        later("Haal de regel weg, of kijk de spelling na."),
    ),
    "the key is missing": (
        later("Deze sleutel ontbreekt."),
        later("Voeg een regel met deze sleutel toe."),
    ),
    "a text is asked": (
        later("Hier hoort een tekst, en die mag niet leeg zijn."),
        later("Zet tekst tussen aanhalingstekens."),
    ),
    "not a word of the list": (
        later("Dit woord staat niet in de lijst van deze sleutel."),
        later("Neem een woord dat het register al gebruikt."),
    ),
    "a list of texts is asked": (
        later("Hier hoort een lijst van teksten."),
        later('Schrijf bijvoorbeeld ["eerste", "tweede"].'),
    ),
    "each item is a text, and said once": (
        later("Elk woord in de lijst is tekst en staat er één keer."),
        later("Haal wat dubbel of leeg is weg."),
    ),
    "holds a word that is not in the list": (
        later("Er staat een woord in dat deze sleutel niet kent."),
        later("Neem woorden die het register al gebruikt."),
    ),
    "true or false is asked": (later("Hier hoort true of false."), later("Schrijf true of false.")),
    "a day is asked, without a time": (
        later("Hier hoort een dag, zonder tijd."),
        later("Schrijf de dag als 2026-12-01, zonder aanhalingstekens."),
    ),
    "a day is asked": (
        later("Hier hoort een dag."),
        later("Schrijf de dag als 2026-12-01, zonder aanhalingstekens."),
    ),
    "a number from 0 to 1000000 is asked": (
        later("Hier hoort een getal."),
        later("Schrijf een getal vanaf 0."),
    ),
    "a number from 1 to 1000000 is asked": (
        later("Hier hoort een getal."),
        later("Schrijf een getal vanaf 1."),
    ),
    "a table of law, article, paragraph, part and wording is asked": (
        later("Hier hoort waar de wet het zegt: law, article en wording."),
        later('Schrijf { law = "…", article = "…", wording = "…" }.'),
    ),
    "an id of letters, digits, dots and hyphens is asked": (
        later("Het id bestaat uit letters, cijfers, punten en streepjes, en begint met een hoofdletter."),
        later("Neem een id als WMO-2.3.2."),
    ),
    "not a kind of consent that can be a condition": (
        later("Deze soort toestemming kan geen voorwaarde zijn."),
        later("Neem een soort die het register al gebruikt, of haal de sleutel weg."),
    ),
    "who approves a proposal does so himself; leave the key out": (
        later("Wie goedkeurt, doet dat zelf: in een voorstel staat geen goedkeurder."),
        later("Haal de regel met approved_by weg."),
    ),
    "two approvers are asked": (
        later("Er zijn twee goedkeurders nodig."),
        later("Haal de regel met approved_by weg."),
    ),
    "one person is named twice: two different persons are asked": (
        later("Eén persoon is twee keer genoemd."),
        later("Haal de regel met approved_by weg."),
    ),
    "an earlier version is asked": (
        later("Een versie volgt alleen een eerdere versie op."),
        later("Noem bij succeeds een lager nummer, of 0."),
    ),
    "the validity ends before it begins": (
        later("De geldigheid eindigt voordat zij begint."),
        later("Laat valid_to na valid_from komen."),
    ),
    "an https address": (
        later("Hier hoort een adres dat met https:// begint."),
        later("Noem de verwerkingsactiviteit in uw register."),
    ),
    "an https address of a host is asked": (
        later("Hier hoort een adres dat met https:// begint."),
        later("Noem de verwerkingsactiviteit in uw register."),
    ),
    "no consent is there to lift it": (
        later("Er is geen toestemming die de geheimhouding opheft."),
        later("Noem een soort toestemming bij consent_kind, of een andere geheimhouding."),
    ),
    "no consent is asked": (
        later("Er wordt geen toestemming gevraagd."),
        later("Noem een soort toestemming bij consent_kind, of haal de sleutel weg."),
    ),
    "BSN is one of the categories": (
        later("BSN staat bij de categorieën en is niet toegestaan."),
        later("Zet bsn_allowed op true, of haal BSN uit de categorieën."),
    ),
    "special data need an exception": (
        later("Bijzondere gegevens vragen een uitzondering van AVG artikel 9."),
        later("Noem de uitzondering bij gdpr9, of haal de categorie weg."),
    ),
    "criminal data need an exception": (
        later("Strafrechtelijke gegevens vragen een uitzondering."),
        later("Zet criminal_allowed op true, of haal de categorie weg."),
    ),
    "an empty list allows nothing": (
        later("Een lege lijst laat niets toe."),
        later("Noem ten minste één woord."),
    ),
    "6(1)(a) is consent: the kind GDPR is asked": (
        later("Artikel 6 lid 1 onder a is toestemming: daar hoort de soort GDPR bij."),
        later('Schrijf consent_kind = "GDPR".'),
    ),
    "GDPR consent is a ground of its own, 6(1)(a); as a condition of another it is not freely given": (
        later("Toestemming van de AVG is een eigen grondslag en geen voorwaarde van een andere."),
        later("Neem 6(1)(a) als grondslag, of een andere soort toestemming."),
    ),
    "to defer the notice asks its duties: DEFER-NOTICE-4W and NO-NOTICE-TO-SUSPECT": (
        later("Wie het informeren uitstelt, heeft ook de plichten daarvan."),
        later("Noem DEFER-NOTICE-4W en NO-NOTICE-TO-SUSPECT bij permit_obligations."),
    ),
    "a notice is deferred by this duty only: DEFER:P4W": (
        later("Informeren uitstellen kan alleen met DEFER:P4W."),
        later('Schrijf information_duty = "DEFER:P4W".'),
    ),
    "letters of GDPR 9(2) are asked, such as 9(2)(h), with articles 22 to 30 of the UAVG beside them": (
        later("Hier horen letters van AVG artikel 9 lid 2, met artikelen van de UAVG ernaast."),
        later('Schrijf bijvoorbeeld ["9(2)(h)", "UAVG 30(3)"].'),
    ),
    "the year of the text it was written on is asked, such as 2015": (
        later("Het jaar van de wettekst ontbreekt."),
        later('Noem bij wording de tekst, zoals "1 January 2015".'),
    ),
    "an offer opens to its resident, or by his consent to no college; an answer to him alone": (
        later("Een aanbod is van de inwoner: een college krijgt het niet."),
        later("Haal het college uit de ontvangers, of het aanbod uit de categorieën."),
    ),
    "a reference to an assessment is asked": (
        later("Hier hoort een verwijzing naar een DPIA."),
        later("Noem het nummer van de DPIA."),
    ),
    "this version number was used before: take a higher one": (
        later("Dit versienummer is al gebruikt."),
        later("Neem een hoger nummer."),
    ),
    "this basis has the most versions it can have": (
        later("Deze grondslag heeft al het hoogste aantal versies."),
        later("Begin een nieuwe grondslag met een ander id."),
    ),
    "it succeeds a version that is not there: name one that is, or 0": (
        later("De versie die wordt opgevolgd bestaat niet."),
        later("Noem bij succeeds een versie die bestaat, of 0."),
    ),
    "two versions of one basis would be valid on one day: begin where the other ends, "
    "name it in `succeeds`, or disable it first": (
        later("Twee versies van één grondslag zouden op dezelfde dag gelden."),
        later("Noem de vorige versie bij succeeds en laat valid_from na haar begin komen."),
    ),
    "this task approves and disables, it does not propose: ask an administrator of the register": (
        later("Uw taak stelt geen grondslagen voor."),
        later("Vraag een opsteller van het register."),
    ),
}


class Line(NamedTuple):
    """One line of the text; `here` where the fault is."""

    number: int
    text: str
    here: bool


class Fault(NamedTuple):
    """What is wrong, where, and what helps. `raw` is what the exchange said, where it has no words here."""

    entry: str
    key: str
    says: str
    remedy: str
    raw: str
    lines: tuple[Line, ...]

    @property
    def number(self) -> int:
        """Return the line of the fault; 0 where it has no place."""
        return next((line.number for line in self.lines if line.here), 0)


def fault_of(refused: AnswerRefused, text: str) -> Fault | None:
    """Return what is wrong with a text that was asked about; None where something else was."""
    told = refused.metadata
    key, why = next(
        ((name, why) for name, why in refused.fields.items() if name.partition(".")[0] == TEXT),
        (told.get("place", "") if told.get("rule") else None, refused.message),
    )
    if key is None or not why:
        return None
    for prefix in _PREFIXES:
        why = why.removeprefix(prefix)
    at = _at_line.search(why)
    plain = why[: at.start()] if at else why
    entry, key = told.get("entry", ""), key.partition(".")[2] if key.startswith(TEXT) else key
    lines = text.split("\n")
    number = int(at[1]) if at else _place(lines, entry, key)
    says, remedy = WORDS.get(plain, ("", ""))
    return Fault(entry, key, says, remedy, "" if says else plain, _around(lines, number))


def _place(lines: list[str], entry: str, key: str) -> int:
    """Return the line of a key of an entry, else where that entry begins; 0 where neither is found."""
    if not key:
        return 0
    starts = [at for at, line in enumerate(lines) if _is_table(line)] or [0]
    blocks = list(zip(starts, [*starts[1:], len(lines)], strict=True))
    # Of two with one id it is the later one that is refused.
    named = [block for block in blocks if _name_of(lines[slice(*block)]) == entry]
    start, stop = (named or (blocks if len(blocks) == 1 else [(0, 0)]))[-1]
    word = key.partition(".")[0]
    begins = re.compile(rf"""\s*["']?{re.escape(word)}["']?\s*[.=]""").match
    for at in range(start, stop):
        if begins(lines[at]):
            return at + 1
    return start + 1 if stop else 0


def _name_of(lines: list[str]) -> str:
    return next((found[1] for line in lines if (found := _names_basis(line))), "")


def _around(lines: list[str], number: int) -> tuple[Line, ...]:
    if not 0 < number <= len(lines):
        return ()
    first = max(1, number - LINES_AROUND)
    shown = lines[first - 1 : number + LINES_AROUND]
    return tuple(Line(at, line[:LINE_CHARS_MAX], at == number) for at, line in enumerate(shown, first))
