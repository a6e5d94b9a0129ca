"""The fields a decision was asked about, as its record tells them: what they share once, the rest by number.

Promises: `listed` of what `told_of` says of some fields is those very fields, in their order, whatever their
names are; what is not of this form is refused. A name is a path, such as `goals.own_words`, and behind it, in
brackets, whose part of that path it is, where there are several.
Source: exchange/decisions/0194-what-fields-share-is-told-once.md.
"""

from __future__ import annotations

from itertools import compress
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

# Names of the form are permanent.
KINDS: Final = "kinds"  # what fields share, each once
PATHS: Final = "paths"  # a path, and the number of a kind for each field of that path
OF: Final = "of"  # in a kind: what stands in their names behind the path
NAME: Final = "name"
SEALED: Final = "sealed"


def told_of(fields: Iterable[tuple[str, Mapping[str, Any]]]) -> dict[str, Any]:
    """Return what is told of fields, given as their names and what else is to be told of each.

    Whether a field is sealed is told apart from this, by its place.
    """
    kinds: dict[tuple[object, ...], int] = {}
    told: list[dict[str, Any]] = []
    paths: list[list[Any]] = []
    for name, said in fields:
        path, bracket, rest = name.partition("[")
        of = bracket + rest
        # By type as well: True equals 1.
        key = (of, *((one, type(value), value) for one, value in said.items()))
        number = kinds.setdefault(key, len(kinds))
        if number == len(told):
            told.append({**said, OF: of} if of else dict(said))
        if not paths or paths[-1][0] != path:
            paths.append([path])
        paths[-1].append(number)
    return {KINDS: told, PATHS: paths}


def listed(told: Any, sealed: Sequence[Any] = ()) -> list[dict[str, Any]]:  # noqa: ANN401 -- what JSON can hold
    """Return the fields, each by itself. Raises ValueError, TypeError or AttributeError for another form."""
    lists = (told[KINDS], told[PATHS], *told[PATHS], sealed) if told.keys() == {KINDS, PATHS} else ("",)
    if not all(map(_is_list, lists)):
        raise ValueError("not the parts of this form")
    kinds = [(_kind(one), one.get(OF, "")) for one in told[KINDS]]
    found = []
    for path, *numbers in told[PATHS]:
        if type(path) is not str or "[" in path:
            raise ValueError("a path that is none")
        for number in numbers:
            kind, of = kinds[_place(number, len(kinds))]
            field = {**kind, NAME: path + of}
            field.pop(OF, None)
            found.append(field)
    for number in sealed:
        found[_place(number, len(found))][SEALED] = True
    return found


def places_of(marks: Sequence[bool]) -> list[int]:
    """Return where a mark is set, from 0; the same steps wherever that is."""
    return [*compress(range(len(marks)), marks)]


def _is_list(told: object) -> bool:
    # Of a text or an object Python would go through the letters or the names.
    return isinstance(told, list | tuple)


def _kind(told: Any) -> dict[str, Any]:  # noqa: ANN401 -- what JSON can hold
    """Return what fields share. Raises ValueError where it tells what each field has by itself."""
    of = told.get(OF, "[")
    if type(of) is not str or of[:1] != "[" or NAME in told or SEALED in told:
        raise ValueError("a kind that is none")
    kind: dict[str, Any] = told
    return kind


def _place(number: Any, count: int) -> int:  # noqa: ANN401 -- what JSON can hold
    if type(number) is not int or not 0 <= number < count:
        raise ValueError("a number that stands for nothing")
    return number
