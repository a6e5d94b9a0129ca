"""What fields that are asked together have in common, whoever asks and whatever is sealed: found once.

Promises: nothing in a shape hangs on a seal or on a resident's words; what a seal makes of fields is picked
out of it in the same steps. Bounded; the fields of a shape are kept, so that no other gets the id of one.
Source: exchange/decisions/0194-what-fields-share-is-told-once.md.
"""

from __future__ import annotations

from operator import getitem
from typing import TYPE_CHECKING, Final

from exchange.domain.kernel import with_changes
from exchange.pipeline.decisions import asked_text, categories_in

if TYPE_CHECKING:
    from collections.abc import Sequence

    from exchange.gate.model import Field

SHAPES_MAX: Final = 1_024


class Shape:
    """Fields as they are where nothing is sealed, in their order."""

    __slots__ = ("_fields", "_paths", "_twins", "asked", "names", "text")

    def __init__(self, fields: Sequence[Field]) -> None:
        self._fields = tuple(fields)
        self._twins = tuple(map(_twins, fields))
        self._paths = tuple([field.name.partition("[")[0] for field in fields])
        self.names: Final = tuple([field.name for field in fields])
        self.text: Final = asked_text(fields)
        self.asked: Final = categories_in(fields)

    def sealed_by(self, paths: frozenset[str]) -> tuple[Field, ...]:
        """Return the fields, those of these paths as sealed; as many steps where nothing is."""
        return tuple(map(getitem, self._twins, map(paths.__contains__, self._paths)))


_shapes: dict[tuple[int, ...], Shape] = {}


def shape_of(fields: Sequence[Field]) -> Shape:
    """Return the shape of these very fields."""
    name = tuple(map(id, fields))
    known = _shapes.get(name)
    if known is None:
        if len(_shapes) >= SHAPES_MAX:
            _shapes.clear()
        known = _shapes[name] = Shape(fields)
    return known


def _twins(field: Field) -> tuple[Field, Field]:
    """Return a field as one that is not sealed and as one that is: made at once, by whichever is asked."""
    return with_changes(field, sealed=False), with_changes(field, sealed=True)
