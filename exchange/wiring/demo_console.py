"""The demo's console: an identity provider beside the service, for a person who wants to look.

Promises: on loopback only, with certificates of the throw-away authority; BSNs go over a pipe, never over a
command line; whatever becomes of the demo, the provider does not outlive it.
"""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING, Final

from exchange.errors import Unavailable
from exchange.settings import ENV_PREFIX
from exchange.wiring.core import development_authority
from exchange.wiring.demo_processes import STOP_WAIT_S
from exchange.wiring.holding import private_files

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from contextlib import AbstractContextManager

    from exchange.settings import Settings

MODULE: Final = "adapters.simulators.identity_provider"
FOLDER: Final = "identity_provider"
SECRET_BYTES: Final = 32


class SigningIn:
    """A running provider. `environment` is what the service is told of it."""

    def __init__(self, process: subprocess.Popen[str], environment: Mapping[str, str]) -> None:
        self._process = process
        self.environment = environment

    def admit(self, bsns: Sequence[str]) -> None:
        """Let the residents of the story sign in too."""
        assert self._process.stdin is not None
        self._process.stdin.write("".join(f"{bsn}\n" for bsn in bsns))
        self._process.stdin.flush()


def signing_in(settings: Settings, *, wanted: bool) -> AbstractContextManager[SigningIn | None]:
    """Run a provider where somebody will look, nothing otherwise. Raises Unavailable."""
    return _provider(settings) if wanted else nullcontext()


@contextmanager
def _provider(settings: Settings) -> Iterator[SigningIn]:
    folder = settings.data.parent / FOLDER
    with private_files():
        issued = development_authority(settings).issue_server(folder)
        secret = folder / "secret"
        secret.write_text(os.urandom(SECRET_BYTES).hex(), encoding="ascii")
    files = ["--certificate", str(issued.certificate), "--key", str(issued.key), "--secret-file", str(secret)]
    command = [sys.executable, "-m", MODULE, *files]
    with subprocess.Popen(  # noqa: S603 -- our own program, fixed words
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        try:
            issuer = process.stdout.readline().strip()
            if not issuer:
                raise Unavailable("the identity provider of the demo did not start")
            told = {
                "console_port": "0",
                "console_issuer": issuer,
                "console_issuer_authority": str(issued.client_ca),
                "console_client_secret_file": str(secret),
            }
            yield SigningIn(process, {ENV_PREFIX + name.upper(): value for name, value in told.items()})
        finally:
            process.terminate()
            try:
                process.wait(timeout=STOP_WAIT_S)
            except subprocess.TimeoutExpired:
                process.kill()
