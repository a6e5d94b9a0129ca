"""A child process that dies at one step of an erasure: `-m tests.wiring.dying DATA REF ERASURE STEP`."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from exchange.keys import keystore
from tests.pipeline.erasing import approving
from tests.pipeline.shard import Shard

if TYPE_CHECKING:
    from collections.abc import Callable

STEPS: Final = (
    "before the commit",
    "after the commit",
    "before the list",
    "after the list",
    "before the link",
    "after the link",
    "before the keys",
    "before the log is emptied",
    "after the keys",
    "answered",
)


def die(*_: object, **__: object) -> None:
    """End as a power cut would: nothing is caught, nothing is closed."""
    os.kill(os.getpid(), signal.SIGKILL)


def around(owner: Any, name: str, *, after: bool) -> None:  # noqa: ANN401 -- any part of the shard
    """Let the process die before or after a call."""
    call: Callable[..., Any] = getattr(owner, name)

    def dying(*arguments: object, **named: object) -> None:
        if after:
            call(*arguments, **named)
        die()

    setattr(owner, name, dying)


def main(data: str, ref: str, erasure_id: str, step: str) -> None:
    """Approve for the second time, and die on the way."""
    shard = Shard(Path(data))
    core = shard.core
    where, _, what = step.partition(" ")
    owners: dict[str, tuple[Any, str]] = {
        "the commit": (core.recorder, "commit"),
        "the list": (core.erasures.listed, "add"),
        "the link": (core.residents, "forget"),
        "the keys": (core.keys, "destroy"),
        "the log is emptied": (keystore, "scrub"),
    }
    if step != "answered":
        around(*owners[what], after=where == "after")
    shard.done(approving(shard, ref, erasure_id, "prof-3"))
    die()


if __name__ == "__main__":
    main(*sys.argv[1:])
