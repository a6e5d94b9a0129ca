"""What a resident reads of who asked what: each part that a question about him can name has a Dutch word."""

from __future__ import annotations

import pkgutil
from importlib import import_module
from typing import TYPE_CHECKING

import exchange.v1
from exchange.documents.words import words_of
from exchange.v1 import options_pb2
from exchange.v1.plan_pb2 import Plan

if TYPE_CHECKING:
    from collections.abc import Iterator

# Of these no question stands in a resident's list: they are about decisions, counts, events or other towns.
OTHERS = frozenset(
    f"{name}Service" for name in ("Audit", "LookupReview", "Subscription", "Handover", "Identity", "Insight")
)
# But for this one: that an officer looked him up.
LOOKED_UP = "FindLogPseudonym"


def named() -> Iterator[str]:
    """Yield the first part of every path that such a question can name."""
    rooms = [
        one.name for one in pkgutil.iter_modules(exchange.v1.__path__) if one.name.endswith("_service_pb2")
    ]
    for room in rooms:
        services = import_module(f"exchange.v1.{room}").DESCRIPTOR.services_by_name.values()
        for service in services:
            for method in service.methods:
                if "fields" not in method.input_type.fields_by_name:
                    continue
                if service.name in OTHERS and method.name != LOOKED_UP:
                    continue
                for field in method.output_type.fields:
                    if field.message_type or field.GetOptions().HasExtension(options_pb2.privacy):
                        yield field.name
                    # The paths of a plan begin in it.
                    if field.message_type is Plan.DESCRIPTOR:
                        yield from (inner.name for inner in Plan.DESCRIPTOR.fields if inner.message_type)


def test_each_part_of_an_answer_has_a_dutch_word() -> None:
    dutch, english = words_of("nl"), words_of("en")
    parts = set(named())
    assert {"resident_pseudonym", "goals", "after"} <= parts
    # Without a word of its own a name is shown as it is written, in English.
    assert [one for one in sorted(parts) if dutch.field(one) == english.field(one)] == []
