"""How many connections a door of gRPC may bear, by the files this process may open.

Promises: never all of them: the store, the keys, what is published and the ports over HTTP need theirs, so
that who only knocks cannot keep a commit from its disk. Source: getrlimit(2), RLIMIT_NOFILE.
"""

from __future__ import annotations

import resource
from typing import TYPE_CHECKING, Final

from exchange.server.parts import CONNECTIONS_MAX
from exchange.server.web.door import CONNECTIONS_MAX as WEB_CONNECTIONS_MAX

if TYPE_CHECKING:
    from exchange.settings import Settings

FILES_OF_ITS_OWN: Final = 256


def connections_that_fit(settings: Settings) -> int:
    """Return the most there may be at once: what a door bears, or what the limit of open files leaves."""
    may, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    ports = (settings.admin_port, settings.tiles_port, settings.console_port)
    own = FILES_OF_ITS_OWN + WEB_CONNECTIONS_MAX * sum(port is not None for port in ports)
    # One of many nodes has a second door of gRPC, for the others.
    doors = 2 if settings.node_address else 1
    return min(CONNECTIONS_MAX, max(may - own, may // 2) // doors)
