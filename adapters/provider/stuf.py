"""The GGk envelope around a message of the standard, read as it comes in; pure.

Promises: read by pieces, so that what it carries is never held here; no DTD, no entity, UTF-8 only, bounds on
depth, texts and size; order, number and form of its elements are those of the schema; what it carries is
unpacked from base64 and given on as it comes. No error holds a value.
Source: GGk koppelvlak 2.1.04 (ggk0210: Di01, Du01), StUF 03.01 (Bv03, Fo01, Fo03), SOAP 1.1.
"""

from __future__ import annotations

import binascii
import re
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Final
from xml.parsers import expat

from adapters.provider.errors import EnvelopeRefused, MessageNotReadable, StufCode
from adapters.provider.parsing import MESSAGE_BYTES_MAX

if TYPE_CHECKING:
    from collections.abc import Callable

GGK: Final = "http://www.stufstandaarden.nl/koppelvlak/ggk0210"
STUF: Final = "http://www.egem.nl/StUF/StUF0301"
SOAP: Final = "http://schemas.xmlsoap.org/soap/envelope/"
# Base64 takes four bytes for three and lines may be broken; the rest of an envelope is small.
ENVELOPE_BYTES_MAX: Final = MESSAGE_BYTES_MAX * 4 // 3 * 21 // 20 + 64 * 1024
DEPTH_MAX: Final = 16
TEXT_CHARACTERS_MAX: Final = 2_000
SHAPE_CHARACTERS_MAX: Final = 8_000
TOKEN_BYTES_MAX: Final = 256 * 1024
PIECE_BYTES: Final = 48 * 1024  # a multiple of three: packed by itself
# 3.2 of the standard, in four digits each.
FUNCTION_VERSION: Final = ("0003", "0002")
_PREFIXES: Final = {GGK: "GGK", STUF: "StUF", SOAP: "SOAP"}
_SCHEMA_LOCATION: Final = "http://www.w3.org/2001/XMLSchema-instance schemaLocation"
_FORMS: Final = {
    "organisatie": r".{1,200}",
    "applicatie": r".{3,50}",
    "administratie": r".{0,50}",
    "gebruiker": r".{0,100}",
    "referentienummer": r".{0,40}",
    "crossRefnummer": r".{0,40}",
    "tijdstipBericht": r"[0-9]{8,17}",
    "functie": r".{0,30}",
    "applicatieVersie": r"[0-9]{4}",
    "applicatieSubversie": r"[0-9]{4}",
    "functieVersie": r"[0-9]{4}",
    "functieSubversie": r"[0-9]{4}",
    "code": r".{0,7}",
    "plek": r"client|server",
    "omschrijving": r".{0,200}",
    "details": r"(?s:.{0,1000})",
}
_UUID4: Final = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
_BLANKS: Final = b" \t\n\r"
# The first bytes tell what it is: a declaration, then the root with its namespaces.
_LOOKED_AT: Final = 4 * 1024
_MARKS: Final = (b"/koppelvlak/ggk", b"/StUF/StUF", SOAP.encode())


def is_envelope(content: bytes) -> bool:
    """Tell whether bytes are an envelope, or say they are: its reader judges that."""
    return any(mark in content[:_LOOKED_AT] for mark in _MARKS)


class Kind(Enum):
    """What is told, by its berichtcode; the value is also the root element."""

    OUTWARD = "Di01"
    RETURN = "Du01"
    FAULT = "Fo01"  # told later, of its own
    TAKEN = "Bv03"  # the answer to what was posted
    REFUSED = "Fo03"  # the same, where it was not taken


ROOTS: Final = {
    (GGK, "envelopHeenbericht-ggk_Di01"): Kind.OUTWARD,
    (GGK, "envelopRetourbericht-ggk_Du01"): Kind.RETURN,
    (STUF, "Fo01Bericht"): Kind.FAULT,
    (STUF, "Bv03Bericht"): Kind.TAKEN,
    (STUF, "Fo03Bericht"): Kind.REFUSED,
}
CARRYING: Final = frozenset({Kind.OUTWARD, Kind.RETURN})


def _shapes() -> dict[Kind, re.Pattern[str]]:
    def leaf(name: str) -> str:
        return rf"{name}\(\)"

    def system(name: str, *, named: bool) -> str:
        organisation = leaf("StUF:organisatie") if named else f"(?:{leaf('StUF:organisatie')})?"
        rest = "".join(f"(?:{leaf(one)})?" for one in ("StUF:administratie", "StUF:gebruiker"))
        return rf"{name}\({organisation}{leaf('StUF:applicatie')}{rest}\)"

    def steering(kind: Kind) -> str:
        carrying = kind in CARRYING
        parts = [leaf("StUF:berichtcode")]
        parts += [system("StUF:zender", named=carrying), system("StUF:ontvanger", named=carrying)]
        parts += [leaf("StUF:referentienummer"), leaf("StUF:tijdstipBericht")]
        parts += [] if kind is Kind.OUTWARD else [leaf("StUF:crossRefnummer")]
        parts += [leaf("StUF:functie")] if carrying else []
        return rf"{'GGK' if carrying else 'StUF'}:stuurgegevens\({''.join(parts)}\)"

    versions = ("applicatieVersie", "applicatieSubversie", "functieVersie", "functieSubversie")
    carried = r"GGK:bericht\(GGK:(?:xml|tekst)Bestand\(\)\)"
    parameters = rf"GGK:parameters\({''.join(leaf(f'GGK:{one}') for one in versions)}{carried}\)"
    told = "".join(leaf(f"StUF:{one}") for one in ("code", "plek", "omschrijving"))
    more = rf"(?:{leaf('StUF:details')})?(?:StUF:detailsXML\(.*\))?"
    body = rf"StUF:body\({told}{more}\)"
    rest = {Kind.OUTWARD: parameters, Kind.RETURN: parameters, Kind.TAKEN: ""}
    return {
        kind: re.compile(rf"{_PREFIXES[space]}:{name}\({steering(kind)}{rest.get(kind, body)}\)")
        for (space, name), kind in ROOTS.items()
    }


_SHAPES: Final = _shapes()


@dataclass(frozen=True, slots=True)
class Told:
    """What an envelope, a confirmation or a fault says of itself. What was not read is empty."""

    kind: Kind | None = None
    sender: str = ""
    receiver: str = ""
    reference: str = ""
    cross_reference: str = ""
    told_at: str = ""
    function: str = ""
    function_version: tuple[str, str] = ("", "")
    code: str = ""
    plain_text: bool = False  # carries a text file instead of XML
    soap: bool = False


class Reader:
    """Reads one envelope by pieces; what it carries goes to `sink` as it comes."""

    def __init__(self, sink: Callable[[bytes], None]) -> None:
        self._parser: Final = expat.ParserCreate(encoding="utf-8", namespace_separator=" ")
        self._parser.StartElementHandler = self._start
        self._parser.EndElementHandler = self._end
        self._parser.CharacterDataHandler = self._text
        self._parser.StartDoctypeDeclHandler = self._refuse_doctype
        self._parser.XmlDeclHandler = self._declared
        self._unpacking: Final = Unpacking(sink)
        self._open: list[str] = []
        self._within = 0  # depth at which the root of the envelope stands; 0 where it did not come yet
        self._shape: list[str] = []
        self._shaped = 0
        self._parts: list[str] = []
        self._values: dict[str, str] = {}
        self._read = 0
        self._plain_text = False
        self._soap = False
        self.kind: Kind | None = None

    def feed(self, piece: bytes) -> None:
        """Take the next bytes. Raises EnvelopeRefused, and MessageNotReadable where they are no XML."""
        self._read += len(piece)
        if self._read > ENVELOPE_BYTES_MAX:
            raise EnvelopeRefused(StufCode.TOO_LARGE, "the envelope is larger than it may be")
        self._parse(piece, last=False)
        if self._read - self._parser.CurrentByteIndex > TOKEN_BYTES_MAX + len(piece):
            # A tag without end is held, and read again from its beginning with each piece.
            raise EnvelopeRefused(StufCode.SCHEMA, "a tag longer than any may be")

    def close(self) -> Told:
        """End, and return what was told. Raises as `feed` does."""
        self._parse(b"", last=True)
        if self.kind is None:
            raise EnvelopeRefused(StufCode.SCHEMA, "there is no envelope")
        if _SHAPES[self.kind].fullmatch("".join(self._shape)) is None:
            raise EnvelopeRefused(StufCode.SCHEMA, "an element is missing, out of its place or too many")
        if self.kind in CARRYING:
            self._unpacking.close()
        return self.told

    @property
    def told(self) -> Told:
        """Return what was told as far as it was read."""
        got = self._values.get
        return Told(
            self.kind,
            sender=got("zender/organisatie", ""),
            receiver=got("ontvanger/organisatie", ""),
            reference=got("referentienummer", ""),
            cross_reference=got("crossRefnummer", ""),
            told_at=got("tijdstipBericht", ""),
            function=got("functie", ""),
            function_version=(got("functieVersie", ""), got("functieSubversie", "")),
            code=_plain_code(got("code", "")),
            plain_text=self._plain_text,
            soap=self._soap,
        )

    def _parse(self, piece: bytes, *, last: bool) -> None:
        try:
            self._parser.Parse(piece, last)
        except expat.ExpatError as error:
            raise MessageNotReadable(error.lineno, error.offset) from None

    def _refuse_doctype(self, *_told: object) -> None:
        raise EnvelopeRefused(StufCode.SCHEMA, "no DTD is taken")

    def _declared(self, _version: str, encoding: str | None, _standalone: int) -> None:
        if encoding is not None and encoding.lower() != "utf-8":
            raise EnvelopeRefused(StufCode.SCHEMA, "another encoding than UTF-8")

    def _start(self, qualified: str, attributes: dict[str, str]) -> None:
        space, _, name = qualified.rpartition(" ")
        self._open.append(name)
        if len(self._open) > DEPTH_MAX:
            raise EnvelopeRefused(StufCode.SCHEMA, "elements within elements, too deep")
        if not self._within:
            self._before(space, name)
            if not self._within:
                return
        self._shaping(f"{_PREFIXES.get(space, '')}:{name}(")
        self._no_text()
        self._attributes(name, attributes)

    def _before(self, space: str, name: str) -> None:
        """Pass over what SOAP puts around an envelope, and find where it begins."""
        self.kind = ROOTS.get((space, name))
        if self.kind is not None:
            self._within = len(self._open)
        elif space == SOAP:
            self._soap = True
        elif "Header" not in self._open and "Fault" not in self._open:
            raise EnvelopeRefused(StufCode.SCHEMA, "the root element is no envelope")

    def _attributes(self, name: str, attributes: dict[str, str]) -> None:
        named = {"bestandsnaam"} if name == "tekstBestand" else set[str]()
        if attributes.keys() - named - {_SCHEMA_LOCATION}:
            raise EnvelopeRefused(StufCode.SCHEMA, "an attribute that is not of the schema")
        if name == "tekstBestand":
            self._plain_text = True
            if re.fullmatch(r"[A-Za-z0-9\-._]{4,255}", attributes.get("bestandsnaam", "")) is None:
                raise EnvelopeRefused(StufCode.SCHEMA, "bestandsnaam is missing or no name")

    def _shaping(self, part: str) -> None:
        self._shaped += len(part)
        if self._shaped > SHAPE_CHARACTERS_MAX:
            raise EnvelopeRefused(StufCode.SCHEMA, "more elements than an envelope has")
        self._shape.append(part)

    def _end(self, _qualified: str) -> None:
        name = self._open.pop()
        if not self._within:
            return
        self._shaping(")")
        if len(self._open) < self._within:
            self._within = 0
        self._keep(name, "".join(self._parts))
        self._parts = []

    def _keep(self, name: str, text: str) -> None:
        if "detailsXML" in self._open:
            return
        form = _FORMS.get(name)
        if name == "berichtcode":
            form = self.kind.value if self.kind is not None else None
        elif name in ("referentienummer", "crossRefnummer") and self.kind in CARRYING:
            form = _UUID4.pattern
        if form is None:
            self._no_text()
            return
        if re.fullmatch(form, text) is None:
            raise EnvelopeRefused(StufCode.SCHEMA, f"{name} has not the form of its type")
        key = f"{self._open[-1]}/{name}" if name == "organisatie" else name
        self._values.setdefault(key, text)

    def _no_text(self) -> None:
        """Refuse text beside elements, but blanks."""
        if "".join(self._parts).strip() and "detailsXML" not in self._open:
            raise EnvelopeRefused(StufCode.SCHEMA, "text between the elements")
        self._parts = []

    def _text(self, text: str) -> None:
        if not self._within:
            return
        if self._open[-1].endswith("Bestand"):
            self._unpacking.feed(text)
            return
        self._parts.append(text)
        if sum(map(len, self._parts)) > TEXT_CHARACTERS_MAX:
            raise EnvelopeRefused(StufCode.SCHEMA, "a text longer than any of its elements may hold")


def _plain_code(text: str) -> str:
    """Return a code as it may stand in a log: the type allows any seven characters, a log does not."""
    return text if text.isascii() and text.isprintable() else "UNREADABLE"


class Unpacking:
    """Base64 to bytes by pieces, as strictly as xs:base64Binary: its letters, and padding only at the end."""

    def __init__(self, sink: Callable[[bytes], None]) -> None:
        self._sink: Final = sink
        self._left = b""
        self._ended = False
        self._size = 0

    def feed(self, text: str) -> None:
        """Take the next characters."""
        try:
            packed = self._left + text.encode("ascii").translate(None, _BLANKS)
            whole = len(packed) - len(packed) % 4
            self._left = packed[whole:]
            if not whole:
                return
            # After its end the packed text goes on with what strict mode refuses.
            packed = b"=" * self._ended + packed[:whole]
            piece = binascii.a2b_base64(packed, strict_mode=True)
            self._ended = packed.endswith(b"=")
        except ValueError:
            raise EnvelopeRefused(StufCode.SCHEMA, "what it carries is no base64") from None
        self._size += len(piece)
        if self._size > MESSAGE_BYTES_MAX:
            raise EnvelopeRefused(StufCode.PAYLOAD_TOO_LARGE, "what it carries is larger than 25 MB")
        self._sink(piece)

    def close(self) -> None:
        """Say that there is no more."""
        if self._left:
            raise EnvelopeRefused(StufCode.SCHEMA, "what it carries ends in the middle")
        if not self._size:
            raise EnvelopeRefused(StufCode.PAYLOAD, "it carries nothing")
