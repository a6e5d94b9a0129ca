"""A file that is passed on as it comes: what the exchange streams, to a browser that saves it.

Promises: no more is held than one part; what is refused before the first part is a page like any other; what
breaks off later breaks the answer off, so that the browser says that the download failed.
Source: RFC 9112 section 8 (an incomplete message), RFC 6266 (Content-Disposition).
"""

from __future__ import annotations

from contextlib import aclosing
from typing import TYPE_CHECKING

from starlette.responses import StreamingResponse

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from starlette.responses import Response


async def passed_on(parts: AsyncGenerator[bytes, None], name: str, kind: str) -> Response:
    """Return the answer, once its first part is there. Raises AnswerRefused for what is refused before."""
    first = await anext(parts, b"")

    async def every() -> AsyncGenerator[bytes, None]:
        async with aclosing(parts):
            yield first
            async for part in parts:
                yield part

    headers = {"Content-Type": kind, "Content-Disposition": f'attachment; filename="{name}"'}
    return StreamingResponse(every(), headers=headers)
