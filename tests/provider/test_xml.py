"""Bytes to messages and back: what is refused, and that what we write is what the official schemas accept."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from lxml import etree

from adapters.provider import parsing
from adapters.provider.errors import (
    Finding,
    MessageInvalid,
    MessageNotReadable,
    MessageRefused,
    MessageUnknown,
    MessageUnsafe,
)
from adapters.provider.schema import Law
from adapters.provider.xml import Message, Node, element, emit, leaf, read
from tests.provider.builders import BSN, SURNAME, message, put
from tests.provider.test_schema import official_file

if TYPE_CHECKING:
    from pathlib import Path

SPOKEN = ("301", "305", "307", "315", "317", "319", "323")
EACH = [(law, number) for law in Law for number in SPOKEN]


def refusal(data: bytes) -> MessageRefused:
    with pytest.raises(MessageRefused) as caught:
        read(data)
    assert BSN not in str(caught.value)
    assert SURNAME not in str(caught.value)
    return caught.value


def put_text(words: str) -> bytes:
    """The message with other words for its BSN, which its schema refuses and its bounds do not."""
    return DATA.replace(f">{BSN}<".encode(), f">{words}<".encode())


def broken(data: bytes) -> list[tuple[str, str]]:
    error = refusal(data)
    assert isinstance(error, MessageInvalid)
    return [(finding.rule, finding.path) for finding in error.findings]


@pytest.mark.parametrize(("law", "number"), EACH)
def test_what_we_write_is_read_and_written_the_same(law: Law, number: str) -> None:
    data = emit(message(number, law))
    assert read(data) == message(number, law)
    assert emit(read(data)) == data
    assert data.startswith(
        b'<?xml version="1.0" encoding="UTF-8"?>\n<' + f"{law.value}{number}:Bericht".encode()
    )


@pytest.mark.parametrize(("law", "number"), EACH)
def test_what_we_write_the_official_schema_accepts(standards_dir: Path, law: Law, number: str) -> None:
    official = etree.XMLSchema(etree.parse(official_file(standards_dir, law, number)))
    official.assertValid(etree.fromstring(emit(message(number, law))))


@pytest.mark.parametrize("number", SPOKEN)
def test_official_examples_are_read_and_survive_a_round_trip(standards_dir: Path, number: str) -> None:
    data = (standards_dir / "iwmo-3.2" / "voorbeeldberichten" / f"WMO{number}.xml").read_bytes()
    seen = read(data)
    assert (seen.law, seen.number) == (Law.WMO, number)
    assert read(emit(seen)) == seen
    official = etree.XMLSchema(etree.parse(official_file(standards_dir, Law.WMO, number)))
    official.assertValid(etree.fromstring(emit(seen)))


DATA = emit(message("301"))


def inject(prolog: bytes, inside: bytes = b"") -> bytes:
    head, _, body = DATA.partition(b"?>\n")
    return head + b"?>\n" + prolog + body.replace(b">van<", b">" + inside + b"<", 1)


LAUGHS = (
    b"<!DOCTYPE x [<!ENTITY a 'ha'>"
    + b"".join(f"<!ENTITY a{n} '{f'&a{n - 1 if n else str()};' * 10}'>".encode() for n in range(10))
    + b"]>"
)


@pytest.mark.parametrize(
    ("data", "what"),
    [
        (inject(b"<!DOCTYPE x>"), "a DTD"),
        (inject(b'<!DOCTYPE x SYSTEM "file:///etc/passwd">'), "a DTD"),
        (inject(b'<!DOCTYPE x [<!ENTITY e "v">]>', b"&e;"), "a DTD"),
        (inject(b'<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]>', b"&e;"), "a DTD"),
        (inject(b'<!DOCTYPE x [<!ENTITY % p SYSTEM "http://127.0.0.1:9/x"> %p;]>'), "a DTD"),
        (inject(LAUGHS, b"&a9;"), "a DTD"),
        (b"<a>" * 33 + b"</a>" * 33, "levels"),
        (DATA.replace(b"UTF-8", b"ISO-8859-1"), "encoding"),
        (DATA.replace(b"UTF-8", b"UTF-16"), "encoding"),
        (DATA.decode().replace("UTF-8", "UTF-16").encode("utf-16"), "UTF-8"),
    ],
)
def test_what_no_message_needs_is_refused(data: bytes, what: str) -> None:
    error = refusal(data)
    assert isinstance(error, MessageUnsafe)
    assert what in str(error)


def test_a_message_may_be_25_mib_and_not_a_byte_more(monkeypatch: pytest.MonkeyPatch) -> None:
    assert parsing.MESSAGE_BYTES_MAX == 25 * 1024 * 1024
    assert isinstance(refusal(b" " * (parsing.MESSAGE_BYTES_MAX + 1)), MessageUnsafe)
    monkeypatch.setattr(parsing, "MESSAGE_BYTES_MAX", len(DATA))
    assert read(DATA).number == "301"
    assert isinstance(refusal(DATA + b" "), MessageUnsafe)


def test_a_message_over_ten_megabytes_is_read_and_a_text_of_that_size_is_not() -> None:
    # The parser's own limits lie at 10 MB for a buffer and for a text; ours must not be lower in secret.
    padding = b" " * 4_000_000
    spaced = DATA.replace(b"</wmo301:Client>", b"<!--" + padding + b"-->" + b"</wmo301:Client>", 1)
    spaced = spaced.replace(b"<wmo301:Client>", b"<!--" + padding + b"-->" + b"<wmo301:Client>", 1)
    spaced = spaced.replace(b"<wmo301:Header>", b"<!--" + padding + b"-->" + b"<wmo301:Header>", 1)
    assert len(spaced) > 12_000_000
    assert read(spaced) == read(DATA)
    error = refusal(DATA.replace(b"van<", b"x" * 11_000_000 + b"<"))
    assert isinstance(error, MessageUnsafe | MessageInvalid)


@pytest.mark.parametrize("quote", ['"', "'"])
def test_an_element_may_have_as_many_attributes_as_the_limit_says(quote: str) -> None:
    def with_attributes(count: int) -> bytes:
        attributes = "".join(f"\n é{number} = {quote}>/{quote}" for number in range(count))
        return DATA.replace(b"<wmo301:Bsn>", f"<wmo301:Bsn{attributes}>".encode())

    assert broken(with_attributes(parsing.ATTRIBUTES_MAX)) == [("XSD-attribute", "/Bericht/Client/Bsn")]
    assert "more than 32 attributes" in str(refusal(with_attributes(parsing.ATTRIBUTES_MAX + 1)))


def test_a_crowd_of_attributes_is_refused_before_the_parser_sees_it(monkeypatch: pytest.MonkeyPatch) -> None:
    def parser(**_: object) -> None:
        pytest.fail("the parser was made")

    monkeypatch.setattr(etree, "XMLParser", parser)
    crowd = b"<a " + b" ".join(b'a%d=""' % number for number in range(100_000)) + b"/>"
    assert isinstance(refusal(crowd), MessageUnsafe)


def test_words_that_look_like_attributes_are_words() -> None:
    words = "a='b' " * (parsing.ATTRIBUTES_MAX + 1)
    said = broken(put_text(words))
    assert said
    assert all(rule != "XSD-attribute" for rule, _ in said)


def test_a_message_may_hold_as_many_elements_as_the_limit_says(monkeypatch: pytest.MonkeyPatch) -> None:
    count = sum(1 for _ in message("301").root.walk())
    monkeypatch.setattr(parsing, "ELEMENTS_MAX", count)
    assert read(DATA).number == "301"
    monkeypatch.setattr(parsing, "ELEMENTS_MAX", count - 1)
    assert "elements" in str(refusal(DATA))


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x00" * 4096,
        b"not xml",
        DATA[:-1].rstrip(b">"),
        DATA[: len(DATA) // 2],
        DATA.replace(b"</wmo301:Client>", b""),
        DATA.replace(b">van<", b">&nbsp;<"),
        DATA.replace(b">van<", b">\xff\xfe<"),
        DATA.replace(b">van<", b">&#1;<"),
        DATA + DATA,
    ],
)
def test_what_is_no_whole_xml_is_told_by_place_only(data: bytes) -> None:
    error = refusal(data)
    assert isinstance(error, MessageNotReadable)
    assert error.line >= 1


def test_comments_and_instructions_mean_nothing() -> None:
    noisy = DATA.replace(BSN.encode(), b"9999<!-- x --><?y z?>00006").replace(
        b"<wmo301:Client>", b"<?a?><wmo301:Client>"
    )
    assert read(noisy) == read(DATA)


def test_a_byte_order_mark_and_a_missing_declaration_are_fine() -> None:
    assert read(b"\xef\xbb\xbf" + DATA) == read(DATA)
    assert read(DATA.partition(b"?>\n")[2]) == read(DATA)


def test_a_hint_to_a_schema_is_ignored_and_other_attributes_are_not() -> None:
    xsi = b' xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" '
    hint = DATA.replace(b" xmlns:iwmo", xsi + b'xsi:schemaLocation="a b" xmlns:iwmo', 1)
    assert read(hint) == read(DATA)
    nil = DATA.replace(b" xmlns:iwmo", xsi + b'xsi:nil="true" xmlns:iwmo', 1)
    assert broken(nil) == [("XSD-attribute", "/Bericht")]
    assert broken(DATA.replace(b"<wmo301:Bsn>", b'<wmo301:Bsn x="1">')) == [
        ("XSD-attribute", "/Bericht/Client/Bsn")
    ]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"iwmo/3_2/wmo301", b"iwmo/3_1/wmo301"),
        (b"iwmo/3_2/wmo301", b"iwmo/3_2/wmo999"),
        (b"Bericht ", b"Berichten "),
    ],
)
def test_another_namespace_or_root_is_unknown(old: bytes, new: bytes) -> None:
    data = DATA.replace(old, new).replace(
        b"/wmo301:Bericht>", b"/wmo301:Bericht" + (b"en>" if b"en" in new else b">")
    )
    assert isinstance(refusal(data), MessageUnknown)


def test_a_child_in_the_wrong_namespace_does_not_belong() -> None:
    data = DATA.replace(b"wmo301:Bsn>", b"iwmo:Bsn>")
    assert broken(data) == [
        ("XSD-unexpected", "/Bericht/Client/*[1]"),
        ("XSD-missing", "/Bericht/Client/Bsn"),
    ]


SEX = b"<wmo301:Geslacht>2</wmo301:Geslacht>"


def test_a_missing_an_extra_and_a_misplaced_element_are_told_by_place() -> None:
    assert broken(DATA.replace(SEX, b"")) == [("XSD-missing", "/Bericht/Client/Geslacht")]
    assert broken(DATA.replace(SEX, SEX + SEX)) == [("XSD-unexpected", "/Bericht/Client/*[4]")]
    assert broken(DATA.replace(SEX, b"").replace(b"<wmo301:Bsn>", SEX + b"<wmo301:Bsn>")) == [
        ("XSD-missing", "/Bericht/Client/Bsn"),
        ("XSD-missing", "/Bericht/Client/Geboortedatum"),
        ("XSD-unexpected", "/Bericht/Client/*[2]"),
        ("XSD-unexpected", "/Bericht/Client/*[3]"),
    ]


def test_an_unknown_name_is_counted_and_not_repeated() -> None:
    telling = f"<wmo301:n{BSN}/>".encode()
    assert broken(DATA.replace(b"</wmo301:Client>", telling + b"</wmo301:Client>")) == [
        ("XSD-unexpected", "/Bericht/Client/*[7]")
    ]


def test_text_between_elements_and_elements_in_a_text_are_told() -> None:
    assert broken(DATA.replace(SEX, SEX + BSN.encode())) == [("XSD-text", "/Bericht/Client")]
    assert broken(DATA.replace(SEX, b"<wmo301:Geslacht>2<wmo301:x/></wmo301:Geslacht>")) == [
        ("XSD-child", "/Bericht/Client/Geslacht")
    ]


def test_a_code_of_the_other_law_and_another_version_are_refused() -> None:
    path = "/Bericht/Client/ToegewezenProducten/ToegewezenProduct/Product/Categorie"
    assert broken(DATA.replace(b"Categorie>02<", b"Categorie>45<")) == [("XSD-enumeration", path)]
    assert broken(DATA.replace(b"BerichtVersie>3<", b"BerichtVersie>2<")) == [
        ("XSD-pattern", "/Bericht/Header/BerichtVersie")
    ]
    assert broken(DATA.replace(b"BerichtCode>414<", b"BerichtCode>418<")) == [
        ("XSD-pattern", "/Bericht/Header/BerichtCode")
    ]


def test_at_most_a_hundred_findings_are_told() -> None:
    line = DATA[DATA.index(b"<wmo301:ToegewezenProduct>") : DATA.index(b"</wmo301:ToegewezenProducten>")]
    bad = line.replace(b">101<", b">x<")
    found = broken(DATA.replace(line, bad * 150))
    assert len(found) == 100
    path = "/Bericht/Client/ToegewezenProducten/ToegewezenProduct[100]/ToewijzingNummer"
    assert found[-1] == ("XSD-integer", path)


def test_nothing_that_breaks_its_schema_is_written() -> None:
    with pytest.raises(MessageInvalid) as caught:
        emit(put(message("301"), "Client/Geslacht", "9"))
    assert caught.value.findings == (Finding("XSD-enumeration", "…/Geslacht"),)
    with pytest.raises(MessageInvalid):
        emit(put(message("301"), "Client/Naam/Voornamen", "a\x00"))
    with pytest.raises(MessageInvalid):
        emit(put(message("301"), "Client/Bsn", None))
    stray = Message(Law.WMO, "301", element("Bericht", leaf("Elders", BSN)))
    with pytest.raises(MessageInvalid):
        emit(stray)


def test_a_number_not_in_its_shortest_form_is_not_written() -> None:
    path = "Client/ToegewezenProducten/ToegewezenProduct/ToewijzingNummer"
    with pytest.raises(MessageInvalid, match="canonical"):
        emit(put(message("301"), path, "007"))


def test_line_ends_and_markup_in_a_comment_survive() -> None:
    path = "Client/ToegewezenProducten/ToegewezenProduct/Commentaar"
    odd = put(message("301"), path, 'a\r\n\t<b> & "c" ]]> é')
    assert read(emit(odd)) == odd


def test_no_repr_shows_a_value() -> None:
    seen = read(DATA)
    assert BSN not in repr(seen)
    assert BSN not in repr(seen.root.find("Client/Bsn"))
    assert repr(Node("Bsn", BSN)) == "Node(name='Bsn')"


def test_what_is_absent_is_none_or_a_key_error() -> None:
    root = read(DATA).root
    assert root.value("Client/Relaties/Relatie") is None
    with pytest.raises(KeyError):
        root.required("Client/Commentaar")
