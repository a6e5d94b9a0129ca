"""What a text of entries is refused with, word for word: file, entry, key and sentence.

Whoever proposes a legal basis, or looks at what one would open, reads these sentences.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from exchange.errors import RegisterInvalid
from exchange.gate.canonical import KEY_PARTS_MAX, canonical_text, entries_of_text, entry_of_text, toml_of
from exchange.gate.register import Register

if TYPE_CHECKING:
    from collections.abc import Callable

(ENTRY,) = (basis for basis in Register.load().entries() if basis.id == "WMO-5.2.1-2a")
TEXT = canonical_text(ENTRY)
TABLE = f"[[basis]]\n{TEXT}"
READERS: list[Callable[..., Any]] = [entry_of_text, entries_of_text]

NO_TABLES = "[[basis]] tables are asked"
ONE_TABLE = "one [[basis]] table is asked"
NO_TOML = "this is no TOML"
MANY_PARTS = "a key has too many parts"
SHARED = "two versions of one entry share a number"
UNKNOWN = "a register entry is refused: the key is unknown"


def refused(read: Callable[..., Any], *arguments: str) -> RegisterInvalid:
    with pytest.raises(RegisterInvalid) as error:
        read(*arguments)
    return error.value


def told(error: RegisterInvalid, place: str, entry: str, key: str) -> str:
    """Return the sentence of an error that names this place, and nothing beside it."""
    assert error.metadata == {"file": place, "entry": entry, "key": key}
    return error.message


@pytest.mark.parametrize("read", READERS)
@pytest.mark.parametrize(
    ("text", "entry", "key", "sentence"),
    [
        ("basis = 1", "", "basis", NO_TABLES),
        ("basis = []", "", "basis", NO_TABLES),
        ("basis = [1]", "", "basis", NO_TABLES),
        (f"x = 1\n{TABLE}", "", "basis", NO_TABLES),
        ("=", "", "", f"{NO_TOML} (line 1, column 1)"),
        ("a = 1\nb = 'wat'er'", "", "", f"{NO_TOML} (line 2, column 10)"),
        ("a = [", "", "", NO_TOML),
        ("a = " + "[" * 5_000, "", "", NO_TOML),
        ("a = " + "9" * 15_000, "", "", NO_TOML),
        (f"{TEXT}colour = 'red'\n", ENTRY.id, "colour", UNKNOWN),
        (f"{TABLE}colour = 'red'\n", ENTRY.id, "colour", UNKNOWN),
    ],
    ids=[
        "number",
        "none",
        "of numbers",
        "beside",
        "half",
        "quotes",
        "open",
        "nested",
        "digits",
        "key",
        "key of a table",
    ],
)
def test_what_is_no_entry_is_refused_alike_by_both_readers(
    read: Callable[..., Any], text: str, entry: str, key: str, sentence: str
) -> None:
    assert told(refused(read, text, "new.toml"), "new.toml", entry, key) == sentence
    # What came over a wire has no file, and none is named.
    assert told(refused(read, text), "", entry, key) == sentence


def test_a_proposal_is_one_entry() -> None:
    assert told(refused(entry_of_text, TABLE * 2, "new.toml"), "new.toml", "", "basis") == ONE_TABLE
    assert entry_of_text(TABLE) == entry_of_text(TEXT)


def test_two_versions_that_share_a_number_are_named() -> None:
    assert told(refused(entries_of_text, TABLE * 2, "all.toml"), "all.toml", ENTRY.id, "version") == SHARED
    other = TABLE.replace("version = 1", "version = 2")
    assert [one.version for one in entries_of_text(TABLE + other)] == [1, 2]
    renamed = TABLE.replace(ENTRY.id, "WMO-OTHER")
    assert [one.id for one in entries_of_text(TABLE + renamed)] == [ENTRY.id, "WMO-OTHER"]


APPROVES = "a register entry is refused: who approves a proposal does so himself; leave the key out"
EARLIER = "a register entry is refused: an earlier version is asked"


@pytest.mark.parametrize(
    ("line", "key", "sentence"),
    [
        ('approved_by = ["een", "twee"]', "approved_by", APPROVES),
        ('approved_by = ["een"]', "approved_by", APPROVES),
        ("succeeds = 1", "succeeds", EARLIER),
        ("succeeds = 2", "succeeds", EARLIER),
    ],
)
def test_a_proposal_names_no_approvers_and_succeeds_only_what_went_before(
    line: str, key: str, sentence: str
) -> None:
    assert told(refused(entry_of_text, f"{TEXT}{line}\n", "new.toml"), "new.toml", ENTRY.id, key) == sentence


def key_of(parts: int) -> str:
    return ".".join(f"a{number}" for number in range(parts))


@pytest.mark.parametrize(
    "shape",
    [
        "{key} = 1",
        "first = 1\n{key} = 1",
        "[{key}]",
        "[[{key}]]",
        "first = {{ {key} = 1 }}",
        '{key}."last" = 1',
        "first = 1.5\n{key} = 1",
    ],
)
def test_a_key_has_at_most_so_many_parts_wherever_it_stands(shape: str) -> None:
    """The reader takes a time that grows with their square: counted before it reads."""
    most = KEY_PARTS_MAX - shape.count('"last"')
    assert toml_of(shape.format(key=key_of(most)), "new.toml")
    over = shape.format(key=key_of(most + 1))
    assert told(refused(toml_of, over, "new.toml"), "new.toml", "", "") == MANY_PARTS


def test_dots_of_a_text_are_no_parts_of_a_key() -> None:
    sentences = "Wmo 2015 art. 5.2.1, lid 2. " * 50
    assert toml_of(f'title = "{sentences}"', "") == {"title": sentences}
    assert toml_of("\n".join(f"a{n}.b = 1" for n in range(KEY_PARTS_MAX * 2)), "")
