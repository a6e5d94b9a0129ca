"""Pages of what is judged by, and of looking back at it: the register, a preview, a replay, what goes out.

Promises: one room for each of them; a preview and a replay store nothing, and what the register becomes is
decided by two persons whom the exchange knows apart.
Source: GDPR 5(2), 24, 30, 39(1)(b).
"""

from __future__ import annotations

from typing import Final

from exchange.console.pages.policy import erasures, exports, preview, propose, register, replay, version

ROUTES: Final = (
    *replay.ROUTES,
    *preview.ROUTES,
    *register.ROUTES,
    *propose.ROUTES,
    *version.ROUTES,
    *exports.ROUTES,
    *erasures.ROUTES,
)
