"""What the console says, in Dutch or in English: Dutch is written in the pages, English stands in `locale/`.

Promises: a word without a translation is shown in Dutch, never as a key; two files that translate one word in
two ways are refused at the start.
Source: GNU gettext, the format of PO files.
"""

from __future__ import annotations

import ast
import re
from gettext import NullTranslations
from pathlib import Path
from typing import TYPE_CHECKING, Final

from exchange.errors import SettingsInvalid

if TYPE_CHECKING:
    from collections.abc import Iterator

DUTCH: Final = "nl"
ENGLISH: Final = "en"
LANGUAGES: Final = {DUTCH: "Nederlands", ENGLISH: "English"}
LOCALE: Final = Path(__file__).with_name("locale")


def later(dutch: str) -> str:
    """Return the word itself: it is translated where it is shown."""
    return dutch


class Words(NullTranslations):
    """One language. `gettext` and `ngettext` give what stands in the files, else the Dutch."""

    def __init__(self, language: str, single: dict[str, str], plural: dict[str, tuple[str, str]]) -> None:
        super().__init__()
        self.language = language
        self.single = single
        self.plural = plural

    def gettext(self, message: str) -> str:
        """Return a word in this language."""
        return self.single.get(message, message)

    def ngettext(self, msgid1: str, msgid2: str, n: int) -> str:
        """Return the word for one or for more."""
        return self.plural.get(msgid1, (msgid1, msgid2))[n != 1]


def load_words(folder: Path = LOCALE) -> dict[str, Words]:
    """Return every language by its code. Raises SettingsInvalid for a file that cannot be read."""
    found = {DUTCH: Words(DUTCH, {}, {})}
    for language in LANGUAGES.keys() - {DUTCH}:
        words = found[language] = Words(language, {}, {})
        for file in sorted((folder / language).glob("*.po")):
            for one, more, told in entries(file.read_text(encoding="utf-8"), file.name):
                known = words.plural.setdefault(one, told) if more else words.single.setdefault(one, told[0])
                if known != (told if more else told[0]):
                    raise SettingsInvalid("a word is translated in two ways", file=file.name)
    return found


def entries(text: str, name: str) -> Iterator[tuple[str, str, tuple[str, str]]]:
    """Yield (word, its plural or "", translations) of a PO file. Raises SettingsInvalid."""
    for block in re.split(r"\n\s*\n", text):
        parts: dict[str, str] = {}
        key = ""
        for line in block.splitlines():
            if line.startswith("#") or not line.strip():
                continue
            word, _, rest = line.partition(" ") if not line.startswith('"') else (key, "", line)
            try:
                parts[word] = parts.get(word, "") + ast.literal_eval(rest)
            except (SyntaxError, ValueError):
                raise SettingsInvalid("a file of translations cannot be read", file=name) from None
            key = word
        one, more = parts.get("msgid", ""), parts.get("msgid_plural", "")
        told = (parts.get("msgstr", parts.get("msgstr[0]", "")), parts.get("msgstr[1]", ""))
        # The first block of a file is about the file; a word without a translation stays Dutch.
        if one and told[0]:
            yield one, more, told
