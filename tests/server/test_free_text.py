"""No text of any request takes a BSN in: each has a format, and that of words finds one by the 11-proof."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message_factory import GetMessageClass

from exchange.errors import BsnRefused, RequestInvalid
from exchange.server.contract.formats import BSN_FOUND, FORMATS
from exchange.server.contract.validation import Validator
from exchange.v1 import options_pb2
from tests.server.test_contract import requests
from tests.server.town import made_up_bsns

if TYPE_CHECKING:
    from collections.abc import Iterator

    from google.protobuf.descriptor import Descriptor
    from google.protobuf.message import Message

BSN = next(made_up_bsns())
# Spelt as people spell it.
SPELLINGS = (BSN, f"{BSN[:4]}.{BSN[4:6]}.{BSN[6:]}", " ".join(BSN), f"Bel mij, BSN {BSN}!")


def texts(descriptor: Descriptor) -> Iterator[tuple[FieldDescriptor, str]]:
    """Yield the text fields of a request with the format each must have."""
    for field in descriptor.fields:
        if field.type == FieldDescriptor.TYPE_STRING:
            yield field, field.GetOptions().Extensions[options_pb2.rule].format


WORDS = [
    (descriptor, field)
    for descriptor in sorted(requests(), key=lambda one: str(one.name))
    for field, form in texts(descriptor)
    if form == "text"
]


def test_every_text_a_caller_sends_has_a_format() -> None:
    found = {f"{one.name}.{field.name}": form for one in requests() for field, form in texts(one)}
    assert len(found) > len(WORDS) > len(("own_words", "summary", "description", "strengths", "reason"))
    assert {name for name, form in found.items() if form not in FORMATS} == set()


@pytest.mark.parametrize(("descriptor", "field"), WORDS, ids=lambda one: str(one.name))
def test_words_with_a_bsn_in_them_are_refused_by_their_field(
    descriptor: Descriptor, field: FieldDescriptor
) -> None:
    for words in SPELLINGS:
        request: Message = GetMessageClass(descriptor)()
        if field.is_repeated:
            getattr(request, field.name).append(words)
        else:
            setattr(request, field.name, words)
        path = f"{field.name}[0]" if field.is_repeated else str(field.name)
        with pytest.raises((BsnRefused, RequestInvalid)) as refused:
            Validator().check(request)
        assert isinstance(refused.value, BsnRefused)
        assert refused.value.fields[path] == BSN_FOUND
        assert BSN not in str(refused.value)
