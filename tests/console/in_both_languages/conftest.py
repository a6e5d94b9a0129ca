"""A browser for each room of tests, and somebody who reads one language in a window of his own."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.console.in_both_languages.reader import entering

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.console.house import House
    from tests.console.in_both_languages.reader import Reader, SignIn


@pytest.fixture(scope="module")
def enter(house: House) -> Iterator[Callable[[str], Reader]]:
    """Return what opens a window for who reads a language, and has not signed in."""
    with entering(house) as entered:
        yield entered


@pytest.fixture(scope="module")
def sign_in(enter: Callable[[str], Reader]) -> SignIn:
    """Return what gives the window of somebody, by his name, in a language: he stays signed in."""
    known: dict[tuple[str, str], Reader] = {}

    def signed_in(name: str, language: str) -> Reader:
        if (name, language) not in known:
            known[name, language] = reader = enter(language)
            reader.sign_in(name)
        return known[name, language]

    return signed_in
