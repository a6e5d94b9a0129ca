"""Privacy labels of the contract, compiled once: what may be asked, and what a command writes.

Promises: a leaf without a label can never be asked, nor one that asks more assurance of its reader than two
factors over mutual TLS: nobody can show more here; what the caller claims (`claim`) is no data of the
resident and is not judged as such.
Source: protos/exchange/v1/options.proto (Privacy).
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Final

from exchange.domain.values import CATEGORY_OF_LIFE_DOMAIN
from exchange.errors import RequestInvalid
from exchange.pipeline.elements import BY_LIFE_DOMAIN, Label
from exchange.server.contract.names import enum_names
from exchange.server.contract.shapes import TIMESTAMP
from exchange.v1 import options_pb2
from exchange.v1.common_pb2 import LifeDomain

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from google.protobuf.descriptor import Descriptor, FieldDescriptor
    from google.protobuf.message import Message

CLAIM: Final = "claim"
LOG: Final = "LOG"
LIFE_DOMAIN: Final = "life_domain"


@cache
def labels_of(descriptor: Descriptor) -> Mapping[str, Label]:
    """Return leaf path to label for a message that answers; leaves without a label are left out."""
    return {path: label for path, label in leaves_of(descriptor) if label is not None}


def leaves_of(descriptor: Descriptor) -> Iterator[tuple[str, Label | None]]:
    """Yield every leaf path of an answer with its label, or None where it has none."""
    for field in descriptor.fields:
        if field.message_type is not None and field.message_type.full_name != TIMESTAMP:
            for path, label in leaves_of(field.message_type):
                yield f"{field.name}.{path}", label
        else:
            yield field.name, None if asks_more(field) else label_of(field)


def asks_more(field: FieldDescriptor) -> bool:
    """Tell whether its label names a level of assurance: the usual two factors have no name (R02)."""
    return bool(field.GetOptions().Extensions[options_pb2.privacy].min_level)


def label_of(field: FieldDescriptor) -> Label | None:
    """Return a field's own label."""
    options = field.GetOptions()
    if not options.HasExtension(options_pb2.privacy):
        return None
    privacy = options.Extensions[options_pb2.privacy]
    # The only third party in a log line is the professional who asked: his name is weighed (R31, C-579/21),
    # not kept for good as that of any other third party (R27).
    staff_name = privacy.third_party and privacy.category == LOG
    return Label(
        category=privacy.category,
        secret=privacy.secrecy,
        third_party=privacy.third_party and not staff_name,
        staff_name=staff_name,
    )


def refuse_unlabelled(asked: Sequence[str], labels: Mapping[str, Label]) -> tuple[str, ...]:
    """Return the asked paths, each once and in order. Raises RequestInvalid naming those nobody can ask."""
    faults = {
        f"fields[{index}]": "is no field that can be asked here"
        for index, path in enumerate(asked)
        if path not in labels
    }
    if faults:
        raise RequestInvalid("fields are asked that this answer does not have", fields=faults)
    return tuple(dict.fromkeys(asked))


class Written:
    """What a kind of request writes: its labelled fields."""

    def __init__(self, descriptor: Descriptor) -> None:
        labelled = [(field.name, label_of(field)) for field in descriptor.fields if field.name != CLAIM]
        self._fields = tuple((name, label.category) for name, label in labelled if label is not None)

    def in_request(self, request: Message) -> tuple[tuple[str, str], ...]:
        """Return (field, category) of the labelled fields that say something in this request."""
        said = [(name, category) for name, category in self._fields if getattr(request, name)]
        if any(category == BY_LIFE_DOMAIN for _, category in said):
            category_here = _category_of(request)
            said = [
                (name, category_here if category == BY_LIFE_DOMAIN else category) for name, category in said
            ]
        return tuple(said)


@cache
def written_by(descriptor: Descriptor) -> Written:
    """Return what a kind of request writes."""
    return Written(descriptor)


def _category_of(request: Message) -> str:
    # The shape was checked before: the life domain is one this version knows.
    stored = enum_names(LifeDomain.DESCRIPTOR).stored(getattr(request, LIFE_DOMAIN))
    return CATEGORY_OF_LIFE_DOMAIN[stored]
