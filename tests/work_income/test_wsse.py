"""A message is taken from the one it was expected of, whole and new, or not at all."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from lxml import etree

from adapters.sdk.bsn import Bsn
from adapters.simulators.suwinet.messages import QuestionRefused, Reply, read_question, written
from adapters.simulators.suwinet.papers import Authority, Paper
from adapters.simulators.suwinet.people import ANSWERS, answer
from adapters.work_income.errors import ConfigInvalid, SignatureRefused
from adapters.work_income.services import INCOME
from adapters.work_income.soap import compose, question, read_answer
from adapters.work_income.wsse import (
    DS_NS,
    ID,
    LIFETIME,
    SKEW,
    SOAP_NS,
    WSSE_NS,
    WSU_NS,
    SigningIdentity,
    load_identity,
    verify,
)
from adapters.work_income.xml import parse
from tests.work_income.papers import ABOUT, BSN, CITY_OIN, NOW, OTHER_BSN, SUWI_OIN, identity, trusted

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeAlias

    Spoil: TypeAlias = Callable[[etree._Element], None]

NS = {
    "soap": SOAP_NS,
    "wsse": WSSE_NS,
    "wsu": WSU_NS,
    "ds": DS_NS,
    "wsa": "http://www.w3.org/2005/08/addressing",
}
REPLY = Reply(f"{INCOME.action}Response", ABOUT.message_id, CITY_OIN, SUWI_OIN)


def told(source: Paper, now: datetime = NOW) -> bytes:
    """An answer of the simulator's, whose code shares no line with ours."""
    return written(REPLY, answer(INCOME.name, BSN, ANSWERS[INCOME.name]), source, now)


def asked(city: Paper, now: datetime = NOW) -> bytes:
    return compose(INCOME, question(INCOME, Bsn(BSN)), ABOUT, identity(city), now)


def one(root: etree._Element, path: str) -> etree._Element:
    (found,) = root.findall(path, NS)
    return found


def test_an_answer_is_read_and_a_question_is_too(authority: Authority, city: Paper, source: Paper) -> None:
    read = read_answer(told(source), INCOME, ABOUT, trusted(authority), NOW)
    assert read.value("ClientSuwi/Burgerservicenr") == BSN
    found = read_question(asked(city), authority.paper.certificate, NOW)
    assert (found.bsn, found.asker, found.action) == (BSN, CITY_OIN, INCOME.action)


def test_the_bsn_stands_in_the_body_of_a_question_and_nowhere_else(city: Paper) -> None:
    sent = asked(city)
    assert sent.count(BSN.encode()) == 1
    body = one(parse(sent), "soap:Body")
    assert BSN in etree.tostring(body, encoding="unicode")


# --- what somebody could change on the way -----------------------------------------------------------------


def _set(path: str, text: str) -> Spoil:
    def spoil(root: etree._Element) -> None:
        one(root, path).text = text

    return spoil


def _wrap(root: etree._Element) -> None:
    """Put the signed body aside and another in its place: the wrapping of McIntosh and Austel."""
    body = one(root, "soap:Body")
    other = etree.fromstring(etree.tostring(body))
    del other.attrib[ID]
    root.replace(body, other)
    etree.SubElement(one(root, "soap:Header"), "Aside").append(body)


def _wrap_with_the_same_id(root: etree._Element) -> None:
    body = one(root, "soap:Body")
    other = etree.fromstring(etree.tostring(body))
    one(other, ".//Burgerservicenr").text = OTHER_BSN
    root.replace(body, other)
    etree.SubElement(one(root, "soap:Header/wsse:Security"), "Aside").append(body)


def _second_signature(root: etree._Element) -> None:
    security = one(root, "soap:Header/wsse:Security")
    security.append(etree.fromstring(etree.tostring(one(security, "ds:Signature"))))


def _second_security(root: etree._Element) -> None:
    header = one(root, "soap:Header")
    header.append(etree.fromstring(etree.tostring(one(header, "wsse:Security"))))


def _unsigned_header(root: etree._Element) -> None:
    etree.SubElement(one(root, "soap:Header"), f"{{{NS['wsa']}}}ReplyTo", {ID: "reply"}).text = "x"


def _no_signature(root: etree._Element) -> None:
    security = one(root, "soap:Header/wsse:Security")
    security.remove(one(security, "ds:Signature"))


def _second_body(root: etree._Element) -> None:
    root.append(etree.fromstring(etree.tostring(one(root, "soap:Body"))))


def _weaker(name: str, algorithm: str) -> Spoil:
    def spoil(root: etree._Element) -> None:
        next(root.iter(f"{{{DS_NS}}}{name}")).set("Algorithm", algorithm)

    return spoil


def _key_of_another(root: etree._Element) -> None:
    info = one(root, "soap:Header/wsse:Security/ds:Signature/ds:KeyInfo")
    etree.SubElement(info, f"{{{DS_NS}}}KeyValue")


def _token_elsewhere(root: etree._Element) -> None:
    next(root.iter(f"{{{WSSE_NS}}}Reference")).set("URI", "#timestamp")


def _reference_nobody_signed(root: etree._Element) -> None:
    """Put one reference of those that are signed where no signature covers it."""
    signature = one(root, "soap:Header/wsse:Security/ds:Signature")
    told = signature.findall("ds:SignedInfo/ds:Reference", NS)[-1]
    one(signature, "ds:KeyInfo/wsse:SecurityTokenReference").append(told)


SECURITY = "soap:Header/wsse:Security"
SPOILED = {
    "another resident": (_set("soap:Body//Burgerservicenr", OTHER_BSN), "signature"),
    "another action": (_set("soap:Header/wsa:Action", "x"), "signature"),
    "another question": (_set("soap:Header/wsa:RelatesTo", "urn:uuid:2"), "signature"),
    "another moment": (
        _set(f"{SECURITY}/wsu:Timestamp/wsu:Created", f"{NOW:%Y-%m-%dT%H:%M:%S}.5Z"),
        "signature",
    ),
    "no moment": (_set(f"{SECURITY}/wsu:Timestamp/wsu:Created", "yesterday"), "moment in UTC"),
    "no such day": (_set(f"{SECURITY}/wsu:Timestamp/wsu:Created", "2026-02-30T10:00:00Z"), "moment in UTC"),
    "no certificate": (_set(f"{SECURITY}/wsse:BinarySecurityToken", "AAAA"), "certificate"),
    "no base64": (_set(f"{SECURITY}/wsse:BinarySecurityToken", "é"), "certificate"),
    "wrapped": (_wrap, "everything signed"),
    "wrapped, same id": (_wrap_with_the_same_id, "id only once"),
    "second signature": (_second_signature, "exactly one"),
    "second security": (_second_security, "exactly one"),
    "second body": (_second_body, "one header and one body"),
    "header nobody signed": (_unsigned_header, "everything signed"),
    "no signature": (_no_signature, "exactly one"),
    "sha1": (_weaker("SignatureMethod", f"{DS_NS}rsa-sha1"), "algorithm"),
    "hmac": (_weaker("SignatureMethod", "http://www.w3.org/2001/04/xmldsig-more#hmac-sha256"), "algorithm"),
    "md5": (_weaker("DigestMethod", "http://www.w3.org/2001/04/xmldsig-more#md5"), "algorithm"),
    "xslt": (_weaker("Transform", "http://www.w3.org/TR/1999/REC-xslt-19991116"), "algorithm"),
    "key of another": (_key_of_another, "element of another profile"),
    "token elsewhere": (_token_elsewhere, "direct reference"),
    "reference nobody signed": (_reference_nobody_signed, "everything signed"),
}


@pytest.mark.parametrize(("spoil", "rule"), SPOILED.values(), ids=SPOILED)
def test_a_message_somebody_changed_is_refused(
    spoil: Callable[[etree._Element], None], rule: str, authority: Authority, source: Paper
) -> None:
    root = parse(told(source))
    verify(root, trusted(authority), NOW)
    spoil(root)
    with pytest.raises(SignatureRefused) as caught:
        verify(root, trusted(authority), NOW)
    assert caught.value.rule.startswith(rule)
    assert BSN not in str(caught.value)


def test_a_question_somebody_changed_is_refused_by_the_other_side(authority: Authority, city: Paper) -> None:
    for spoiled in (
        re.sub(rb">999990019<", b">111222333<", asked(city)),
        asked(city).replace(CITY_OIN.encode(), b"00000009000000000000"),
    ):
        with pytest.raises(QuestionRefused):
            read_question(spoiled, authority.paper.certificate, NOW)


# --- who signs, and when ------------------------------------------------------------------------------------


@pytest.mark.parametrize("late", [SKEW, -SKEW])
def test_clocks_may_differ_by_five_minutes(late: timedelta, authority: Authority, source: Paper) -> None:
    now = NOW.replace(microsecond=0)
    root = parse(told(source, now))
    verify(root, trusted(authority), now + late)
    beyond = timedelta(seconds=1 if late > timedelta() else -1)
    with pytest.raises(SignatureRefused, match="made now"):
        verify(root, trusted(authority), now + late + beyond)


def test_what_is_over_before_its_time_is_over(authority: Authority, city: Paper) -> None:
    assert LIFETIME <= SKEW
    root = parse(asked(city))
    one(root, f"{SECURITY}/wsu:Timestamp/wsu:Expires").text = "2020-01-01T00:00:00Z"
    with pytest.raises(SignatureRefused, match="not expired"):
        verify(root, trusted(authority, CITY_OIN), NOW)


def test_a_certificate_that_does_not_hold_is_refused(authority: Authority) -> None:
    for begins, days in ((timedelta(days=-9), 1), (timedelta(days=2), 1)):
        paper = authority.issue(SUWI_OIN, begins=begins, days=days)
        with pytest.raises(SignatureRefused, match="certificate holds now"):
            verify(parse(told(paper)), trusted(authority), NOW)


def test_another_organisation_is_refused(authority: Authority, city: Paper) -> None:
    with pytest.raises(SignatureRefused, match="expected OIN"):
        verify(parse(told(city)), trusted(authority), NOW)


def test_an_authority_nobody_trusts_is_refused(authority: Authority) -> None:
    # Of the very same name, so that nothing but its key tells it apart.
    stranger = Authority()
    with pytest.raises(SignatureRefused, match="trusted authority"):
        verify(parse(told(stranger.issue(SUWI_OIN))), trusted(authority), NOW)


def test_an_authority_does_not_sign_messages(authority: Authority) -> None:
    with pytest.raises(SignatureRefused, match="certificate may sign"):
        verify(parse(told(authority.paper)), trusted(authority, ""), NOW)


def test_a_key_of_somebody_else_is_no_identity(city: Paper, source: Paper) -> None:
    found = load_identity(city.certificate_pem, city.key_pem)
    assert (found.oin, isinstance(found, SigningIdentity)) == (CITY_OIN, True)
    for certificate, key in ((city.certificate_pem, source.key_pem), (b"x", b"y")):
        with pytest.raises(ConfigInvalid, match=r"signing\.key"):
            load_identity(certificate, key)


def test_an_answer_to_another_question_is_refused(authority: Authority, source: Paper) -> None:
    body = answer(INCOME.name, BSN, [])
    for reply in (
        REPLY.__class__(REPLY.action, "urn:uuid:2", CITY_OIN, SUWI_OIN),
        REPLY.__class__(INCOME.action, ABOUT.message_id, CITY_OIN, SUWI_OIN),
        REPLY.__class__(REPLY.action, ABOUT.message_id, "00000009000000000000", SUWI_OIN),
    ):
        data = written(reply, body, source, datetime.now(UTC))
        with pytest.raises(SignatureRefused, match="answers this question"):
            read_answer(data, INCOME, ABOUT, trusted(authority), datetime.now(UTC))
