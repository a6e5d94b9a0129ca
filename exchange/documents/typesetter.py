"""A program of its own: one document from standard input, as PDF/UA-1 to standard output. The home of typst.

Runs alone, so that what setting a long document takes ends with it, and has a bound. It reads "template",
"content" and "moment" in JSON. Exit 0: the file is on standard output; 3: the characters that no
font has, in JSON; 4: typst is not installed; 1: anything else, and nothing of the content is told.
Source: typst.app/docs; ISO 14289-1 (PDF/UA-1).
"""

from __future__ import annotations

import json
import re
import resource
import sys
from pathlib import Path
from typing import Any, Final

MISSING: Final = 3
NOT_INSTALLED: Final = 4
FAILED: Final = 1
STANDARDS: Final = ("ua-1",)
MEMORY_BYTES_MAX: Final = 4 * 1024**3  # of addresses: typst reserves more than it uses
PROCESSOR_S_MAX: Final = 60
# No package is asked for; were one, it would be looked for where nothing is.
NOWHERE: Final = "/nonexistent"
TEMPLATES: Final = str(Path(__file__).parent / "templates")
_NAMED: Final = re.compile(r'the text `"((?:[^"\\]|\\.)*)"` could not be displayed')
_ESCAPED: Final = re.compile(r"\\u\{([0-9a-f]+)\}|\\(.)")


def not_in_a_font(diagnostic: str) -> list[str]:
    """Return the characters typst named, but for those of ASCII that stood beside one."""
    named = (_ESCAPED.sub(_unescaped, one) for one in _NAMED.findall(diagnostic))
    return sorted({letter for text in named for letter in text if not letter.isascii()})


def _unescaped(found: re.Match[str]) -> str:
    number, letter = found.groups()
    return chr(int(number, 16)) if number else str(letter)


def _bound() -> None:
    for what, most in ((resource.RLIMIT_AS, MEMORY_BYTES_MAX), (resource.RLIMIT_CPU, PROCESSOR_S_MAX)):
        _, hard = resource.getrlimit(what)
        resource.setrlimit(what, (most if hard == resource.RLIM_INFINITY else min(most, hard), hard))


def _set(asked: dict[str, Any]) -> bytes:
    import typst  # noqa: PLC0415 -- the extra may not be there

    compiler = typst.Compiler(
        asked["template"].encode(),
        root=TEMPLATES,
        font_paths=typst.Fonts(include_system_fonts=False),
        ignore_system_fonts=True,
        sys_inputs={"content": asked["content"]},
        package_path=NOWHERE,
        package_cache_path=NOWHERE,
    )
    try:
        made = compiler.compile(format="pdf", pdf_standards=list(STANDARDS), timestamp=asked["moment"])
    except typst.TypstError as error:
        raise ValueError(error.diagnostic) from None
    assert isinstance(made, bytes)
    return made


def main() -> int:
    """Set one document."""
    _bound()
    try:
        made = _set(json.loads(sys.stdin.buffer.read()))
    except ModuleNotFoundError:
        return NOT_INSTALLED
    except ValueError as error:
        found = not_in_a_font(str(error))
        sys.stdout.buffer.write(json.dumps(found).encode())
        return MISSING if found else FAILED
    except MemoryError:
        return FAILED
    sys.stdout.buffer.write(made)
    return 0


if __name__ == "__main__":
    sys.exit(main())
