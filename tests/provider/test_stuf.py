"""The envelope itself: read by pieces as it was written, strict about its form, and bounded."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree

from adapters.provider import stuf
from adapters.provider.errors import EnvelopeRefused, MessageNotReadable, StufCode
from adapters.provider.stuf import CARRYING, Kind, Reader, Told, Unpacking, is_envelope
from adapters.provider.stuf_writing import write_envelope, write_told
from tests.provider.builders import BSN
from tests.provider.envelopes import envelope, letter

if TYPE_CHECKING:
    from pathlib import Path

GGK = "stuf-iwmo-ijw/ggk0210_patch_04/ggk0210"
ONE = envelope(b"<a/>", reference="9c0f7b90-5c69-41e5-a837-0800200c9a66")


def opened(data: bytes, size: int = 1_000) -> tuple[Told, bytes]:
    pieces: list[bytes] = []
    reader = Reader(pieces.append)
    for start in range(0, len(data), size):
        reader.feed(data[start : start + size])
    return reader.close(), b"".join(pieces)


@settings(max_examples=30)
@given(content=st.binary(min_size=1, max_size=400), size=st.integers(1, 300), soap=st.booleans())
def test_what_is_written_is_read_by_pieces_of_any_size(content: bytes, size: int, *, soap: bool) -> None:
    for kind in CARRYING:
        wrote = letter(kind)
        told, carried = opened(b"".join(write_envelope(wrote, content, soap=soap)), size)
        assert carried == content
        assert (told.kind, told.sender, told.receiver) == (kind, wrote.sender, wrote.receiver)
        assert (told.reference, told.cross_reference) == (wrote.reference, wrote.cross_reference)
        assert (told.function, told.function_version, told.soap) == ("WMO301", ("0003", "0002"), soap)


@pytest.mark.parametrize("soap", [False, True])
@pytest.mark.parametrize("kind", [Kind.FAULT, Kind.REFUSED, Kind.TAKEN])
def test_confirmations_and_faults_are_read_as_they_were_written(kind: Kind, *, soap: bool) -> None:
    code = "" if kind is Kind.TAKEN else "IB016"
    told, carried = opened(write_told(letter(kind, code=code), soap=soap))
    assert (told.kind, told.code, carried) == (kind, code, b"")


@pytest.mark.parametrize("code", ["IB\u200b14", "IB\xa014", "Ängst"])
def test_a_code_that_may_stand_in_no_log_is_not_told_on(code: str) -> None:
    told, _ = opened(write_told(letter(Kind.FAULT, code="IB014")).replace(b"IB014", code.encode()))
    assert (told.kind, told.code) == (Kind.FAULT, "UNREADABLE")


def test_the_samples_of_the_node_are_read_and_what_we_write_is_of_its_schema(standards_dir: Path) -> None:
    found = {
        opened(path.read_bytes())[0].kind for path in (standards_dir / GGK / "voorbeeldberichten").iterdir()
    }
    assert found == {Kind.OUTWARD, Kind.RETURN, Kind.FAULT}
    schema = etree.XMLSchema(
        etree.parse(standards_dir / GGK / "ggk0210/ggkberichten/ggk0210_msg_ggkberichten.xsd")
    )
    for kind in Kind:
        code = "IB001" if kind in (Kind.FAULT, Kind.REFUSED) else ""
        wrote = letter(kind, code=code)
        data = b"".join(write_envelope(wrote, b"x")) if kind in CARRYING else write_told(wrote)
        schema.assertValid(etree.fromstring(data))


WRONG = {
    "no reference": (
        b"<StUF:referentienummer>9c0f7b90-5c69-41e5-a837-0800200c9a66</StUF:referentienummer>",
        b"",
    ),
    "reference of another version": (b"-41e5-", b"-51e5-"),
    "reference in capitals": (b"9c0f7b90", b"9C0F7B90"),
    "twice": (b"<StUF:functie>WMO301</StUF:functie>", b"<StUF:functie>WMO301</StUF:functie>" * 2),
    "one missing": (b"<GGK:applicatieVersie>0001</GGK:applicatieVersie>", b""),
    "out of order": (b"applicatieSubversie", b"functieSubversie"),
    "berichtcode of another": (b">Di01<", b">Du01<"),
    "version of three digits": (b">0003<", b">003<"),
    "moment with letters": (b">20260601090000<", b">2026-06-01<"),
    "no application": (b">Regie<", b">R<"),
    "organisation empty": (b"<StUF:organisatie>0363<", b"<StUF:organisatie><"),
    "text between": (b"<StUF:zender>", b"x<StUF:zender>"),
    "an attribute": (b"<StUF:zender>", b'<StUF:zender a="b">'),
    "no base64": (b"PGEvPg==", b"PGEv*g=="),
    "base64 cut": (b"PGEvPg==", b"PGEvPg="),
    "base64 after its end": (b"PGEvPg==", b"PGEvPg==PGEv"),
    "element in a leaf": (b">Regie<", b"><a/>Regie<"),
    "of another namespace": (b"koppelvlak/ggk0210", b"koppelvlak/ggk0310"),
    "too deep": (b"<GGK:xmlBestand>", b"<a>" * 20 + b"<GGK:xmlBestand>"),
    "text without end": (b">Regie<", b">" + b"R" * 3_000 + b"<"),
    "elements without end": (b"<StUF:zender>", b"<a></a>" * 2_000 + b"<StUF:zender>"),
    "another encoding": (b"UTF-8", b"latin1"),
    "a document type": (b"<GGK:envelop", b"<!DOCTYPE a [<!ENTITY b 'c'>]><GGK:envelop"),
    "a file name that is none": (b"<GGK:xmlBestand>", b'<GGK:tekstBestand bestandsnaam="../a">'),
}


@pytest.mark.parametrize("how", WRONG)
def test_what_is_not_of_the_schema_is_refused_as_such(how: str) -> None:
    old, new = WRONG[how]
    wrong = ONE.replace(old, new)
    if b"tekstBestand" in new:
        wrong = wrong.replace(b"/GGK:xmlBestand", b"/GGK:tekstBestand")
    assert wrong != ONE
    with pytest.raises((EnvelopeRefused, MessageNotReadable)) as refused:
        opened(wrong)
    if isinstance(refused.value, EnvelopeRefused):
        assert refused.value.told is StufCode.SCHEMA


def test_what_carries_nothing_or_ends_early_is_refused() -> None:
    with pytest.raises(EnvelopeRefused, match="IB014"):
        opened(ONE.replace(b"PGEvPg==", b" \n"))
    for cut in range(0, len(ONE) - 1, 97):
        with pytest.raises(MessageNotReadable):
            opened(ONE[:cut])
    with pytest.raises(EnvelopeRefused, match="IB001"):
        opened(b"<a/>")


def test_it_takes_as_much_as_a_message_may_have_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stuf, "MESSAGE_BYTES_MAX", 9_999)
    assert len(opened(envelope(b"x" * 9_999))[1]) == 9_999
    with pytest.raises(EnvelopeRefused, match="IB012"):
        opened(envelope(b"x" * 10_000))
    monkeypatch.setattr(stuf, "ENVELOPE_BYTES_MAX", 9_999)
    with pytest.raises(EnvelopeRefused, match="IB003"):
        opened(envelope(b"x" * 9_000))


def test_a_tag_without_end_is_not_held() -> None:
    reader, fed = Reader(lambda _piece: None), 0

    def feed_on() -> None:
        nonlocal fed
        while fed < 100:
            reader.feed(b"x" * 64 * 1024 if fed else b'<a b="')
            fed += 1

    with pytest.raises(EnvelopeRefused, match="IB001"):
        feed_on()
    assert fed < 10


@given(content=st.binary(max_size=200), line=st.integers(1, 80))
@settings(max_examples=30)
def test_base64_may_be_broken_in_lines_anywhere(content: bytes, line: int) -> None:
    packed = base64.b64encode(content).decode()
    got: list[bytes] = []
    unpacking = Unpacking(got.append)
    for start in range(0, len(packed), line):
        unpacking.feed(f"{packed[start : start + line]}\r\n\t ")
    assert b"".join(got) == content


def test_a_message_of_the_standard_is_no_envelope() -> None:
    assert is_envelope(ONE)
    assert not is_envelope(b'<Bericht xmlns="http://www.istandaarden.nl/iwmo/3_2/wmo301/schema"/>')


def test_no_refusal_shows_a_value() -> None:
    with pytest.raises(EnvelopeRefused) as refused:
        opened(ONE.replace(b">WMO301<", b">" + BSN.encode() * 9 + b"<"))
    assert BSN not in str(refused.value)
