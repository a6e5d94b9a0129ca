"""A token of SoftHSM2, the software that speaks PKCS#11 as hardware does: made, taken away, brought back."""

from __future__ import annotations

import os
import shutil
import subprocess
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

from exchange.keys.hsm import Hsm

if TYPE_CHECKING:
    from collections.abc import Iterator

MODULES: Final = (
    Path("/usr/lib/softhsm/libsofthsm2.so"),
    Path("/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so"),
    Path("/usr/lib/aarch64-linux-gnu/softhsm/libsofthsm2.so"),
    Path("/usr/lib64/pkcs11/libsofthsm2.so"),
)
TOKEN: Final = "exchange-test"
PIN: Final = "0417"


@dataclass(frozen=True, slots=True)
class SoftToken:
    """One initialised token and where its files lie."""

    module: Path
    folder: Path

    def hsm(self) -> Hsm:
        """A session of its own."""
        return Hsm(self.module, TOKEN, lambda: PIN)

    @contextmanager
    def away(self) -> Iterator[None]:
        """The module unplugged: its files are not there."""
        hidden = self.folder.with_suffix(".away")
        self.folder.rename(hidden)
        try:
            yield
        finally:
            hidden.rename(self.folder)


def made_token(folder: Path) -> SoftToken:
    """Initialise a token. The module reads where it lies once in a process: so one to each."""
    module, tool = next((one for one in MODULES if one.exists()), None), shutil.which("softhsm2-util")
    if module is None or tool is None:
        pytest.skip("SoftHSM2 is not here: apt-get install softhsm2")
    pytest.importorskip("pkcs11", reason="the extra `hsm` is not here")
    tokens = folder / "tokens"
    tokens.mkdir()
    (folder / "softhsm2.conf").write_text(f"directories.tokendir = {tokens}\nlog.level = ERROR\n")
    os.environ["SOFTHSM2_CONF"] = str(folder / "softhsm2.conf")
    subprocess.run(  # noqa: S603 -- the tool that was found
        [tool, "--init-token", "--free", "--label", TOKEN, "--pin", PIN, "--so-pin", "0" * 8],
        check=True,
        capture_output=True,
        timeout=30,
    )
    return SoftToken(module, tokens)
