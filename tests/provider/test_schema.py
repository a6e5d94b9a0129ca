"""Our description against the official schemas, element by element, and against a second judge."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from lxml import etree

from adapters.provider.schema import (
    PATTERNS,
    UNBOUNDED,
    ElementRule,
    Law,
    MessageSchema,
    all_schemas,
    answer_number,
    schema_of,
)

if TYPE_CHECKING:
    from pathlib import Path

XS = "{http://www.w3.org/2001/XMLSchema}"
NUMBERS = ("301", "302", "305", "306", "307", "308", "315", "316", "317", "318", "319", "320", "323", "325")
ALL = [(law, number) for law in Law for number in NUMBERS]


def official_file(standards_dir: Path, law: Law, number: str) -> Path:
    # Of the answers of iWmo only a derived schema exists; those of iJw are official.
    answers_of_wmo = law is Law.WMO and number in {"302", "306", "308", "316", "318", "320", "325"}
    folder = "xsd-retour-afgeleid" if answers_of_wmo else "xsd"
    return standards_dir / f"{law.standard}-3.2" / folder / f"{law.value.upper()}{number}.xsd"


def local(qualified: str) -> str:
    return qualified.rpartition(":")[2]


def official_classes(path: Path) -> dict[str, list[tuple[str, str, int, int, str]]]:
    classes = {}
    for complex_type in etree.parse(path).iter(f"{XS}complexType"):
        rows = []
        for element in complex_type.iter(f"{XS}element"):
            kind, fixed = element.get("type"), ""
            if kind is None:
                restriction = element.find(f".//{XS}restriction")
                assert restriction is not None
                kind = restriction.get("base")
                pattern = restriction.find(f"{XS}pattern")
                assert pattern is not None
                fixed = str(pattern.get("value"))
            most = element.get("maxOccurs", "1")
            rows.append(
                (
                    str(element.get("name")),
                    local(str(kind)),
                    int(element.get("minOccurs", "1")),
                    UNBOUNDED if most == "unbounded" else int(most),
                    fixed,
                )
            )
        classes[str(complex_type.get("name"))] = rows
    return classes


def narrowed(rule: ElementRule) -> str:
    return PATTERNS[rule.pattern].official if rule.pattern else rule.fixed


def our_classes(schema: MessageSchema, *, basis: bool) -> dict[str, list[tuple[str, str, int, int, str]]]:
    return {
        ("Root" if name == "Bericht" else name): [
            (rule.name, rule.kind, rule.least, rule.most, narrowed(rule)) for rule in rules
        ]
        for name, rules in schema.classes.items()
        if name.startswith("CDT_") == basis
    }


@pytest.mark.parametrize(("law", "number"), ALL)
def test_every_element_order_and_occurrence_is_the_official_one(
    standards_dir: Path, law: Law, number: str
) -> None:
    path = official_file(standards_dir, law, number)
    schema = schema_of(law, number)
    assert our_classes(schema, basis=False) == official_classes(path)
    basis = official_classes(path.with_name("basisschema.xsd"))
    ours = our_classes(schema, basis=True)
    assert ours == {name: basis[name] for name in ours}


@pytest.mark.parametrize(("law", "number"), ALL)
def test_namespace_and_versions_are_the_official_ones(standards_dir: Path, law: Law, number: str) -> None:
    root = etree.parse(official_file(standards_dir, law, number)).getroot()
    schema = schema_of(law, number)
    assert root.get("targetNamespace") == schema.namespace
    versions = {
        str(each.tag).rpartition("}")[2]: each.text
        for each in root.iter()
        if isinstance(each.tag, str) and f"{{{schema.law.basis_namespace}}}" in each.tag
    }
    assert versions["BasisschemaXsdVersie"] == schema.basis_xsd
    assert versions["BerichtXsdVersie"] == schema.message_xsd


@pytest.mark.parametrize("law", list(Law))
def test_every_facet_and_enumeration_is_the_official_one(standards_dir: Path, law: Law) -> None:
    path = official_file(standards_dir, law, "301").with_name("basisschema.xsd")
    official = {}
    for simple in etree.parse(path).iter(f"{XS}simpleType"):
        restriction = simple.find(f"{XS}restriction")
        assert restriction is not None
        facets: dict[str, list[str]] = {}
        for facet in restriction.iterchildren(f"{XS}*"):
            facets.setdefault(str(facet.tag).rpartition("}")[2], []).append(str(facet.get("value")))
        official[simple.get("name")] = (local(str(restriction.get("base"))), facets)
    ours = {
        kind: rule
        for schema in all_schemas().values()
        if schema.law is law
        for kind, rule in schema.simple.items()
    }
    assert len(ours) > 40
    for name, simple_type in ours.items():
        length = simple_type.base == "string"
        expected: dict[str, list[str]] = {}
        if simple_type.low is not None:
            expected["minLength" if length else "minInclusive"] = [str(simple_type.low)]
        if simple_type.high is not None:
            expected["maxLength" if length else "maxInclusive"] = [str(simple_type.high)]
        if simple_type.pattern:
            expected["pattern"] = [PATTERNS[simple_type.pattern].official]
        if simple_type.values:
            expected["enumeration"] = list(simple_type.values)
        assert (simple_type.base, expected) == official[name], name


def test_every_kind_named_in_a_class_exists() -> None:
    for schema in all_schemas().values():
        for rules in schema.classes.values():
            for rule in rules:
                assert rule.kind in schema.classes or rule.kind in schema.simple


def test_an_answer_follows_its_message() -> None:
    for number in ("301", "305", "307", "315", "317", "319", "323"):
        answer = schema_of(Law.WMO, answer_number(number))
        assert answer.answers == number
        assert answer.classes[answer.classes["Bericht"][1].kind][-1].name == "RetourCodes"
        assert answer.classes["Bericht"][1].least == 0


def test_a_message_we_do_not_speak_has_no_description() -> None:
    with pytest.raises(KeyError):
        schema_of(Law.WMO, "401")
