"""Numbers of residents in bytes that nobody could read: to find whom what was refused is about.

Promises: a BSN is found as it is written: bare, with a sign between its digits, without its first nought,
escaped as JSON does it, and in UTF-16. What is found is told to nobody. Source: GDPR 17.
"""

from __future__ import annotations

import re
from typing import Final

from adapters.sdk.bsn import passes_eleven_proof

_BETWEEN: Final = r"[ .\-]?"
_WHOLE: Final = re.compile(rf"(?=([0-9](?:{_BETWEEN}[0-9]){{8}}))")
_WITHOUT_NOUGHT: Final = re.compile(r"(?<![0-9])[0-9]{8}(?![0-9])")
_ESCAPED: Final = re.compile(rb"\\u003([0-9])")


def mentions(content: bytes, number: str) -> bool:
    """Tell whether a BSN is written in bytes of whatever shape."""
    told = _plain(content)
    if re.search(_BETWEEN.join(number), told):
        return True
    return number.startswith("0") and number[1:] in _WITHOUT_NOUGHT.findall(told)


def numbers_in(content: bytes) -> frozenset[str]:
    """Return every BSN that is written in bytes of whatever shape."""
    told = _plain(content)
    whole = {re.sub("[^0-9]", "", one) for one in _WHOLE.findall(told)}
    short = {f"0{one}" for one in _WITHOUT_NOUGHT.findall(told)}
    return frozenset(one for one in whole | short if passes_eleven_proof(one))


def _plain(content: bytes) -> str:
    """Return what is written, to look in only: UTF-16 without its noughts, escaped digits as digits."""
    return _ESCAPED.sub(rb"\1", content.replace(b"\0", b"")).decode("latin-1")
