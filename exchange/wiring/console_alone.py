"""A console as a process of its own, in another network zone: from its file to its end.

Promises: its file names a console and nothing else, so that no key or database of the exchange is where the
console is; half a console does not start; its certificate, and its credentials towards the exchange, are
taken up where they are renewed on disk.
Source: exchange/decisions/0125-the-console-is-a-client.md.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import tomllib
from typing import TYPE_CHECKING, Any, Final

from pydantic import ValidationError

from exchange.errors import SettingsInvalid
from exchange.logs import open_log
from exchange.server.beside import CLASSES, CONSOLE, Beside
from exchange.server.certificates import end_of, refuse_out_of_time, refuse_unfit
from exchange.settings import Settings, throw_away_settings
from exchange.wiring.console_door import ConsoleDoor, refuse_half_a_console
from exchange.wiring.core import utc_now
from exchange.wiring.holding import looping, never_hung_up
from exchange.wiring.renewing import Renewing, read_material

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from exchange.server.certificates import Material

OTHERS: Final = frozenset({"mode", "server_certificate", "server_key", "log_file", "log_level", "drain_s"})
NEEDED: Final = ("console_port", "console_target", "console_credentials", "server_certificate", "server_key")


def run_console(
    file: Path, told: Callable[[str], None] | None, ready: Path | None, metrics_port: int | None = None
) -> None:
    """Run until SIGTERM or SIGINT; metrics where a port is named for them. Raises SettingsInvalid."""
    settings = console_settings(file)
    with never_hung_up(), looping() as runner:
        runner.run(_run(settings, told, ready, metrics_port))


def console_settings(file: Path) -> Settings:
    """Return the settings of a console alone; the environment is not read. Raises SettingsInvalid."""
    try:
        found: dict[str, Any] = tomllib.loads(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError):
        raise SettingsInvalid("the settings file cannot be read", file=file.name) from None
    unknown = sorted(name for name in found if not name.startswith("console_") and name not in OTHERS)
    unknown += sorted(name for name in found if name not in Settings.model_fields and name not in unknown)
    if unknown:
        raise SettingsInvalid("a console alone has no such settings", names=", ".join(unknown))
    try:
        # In production unless its file says otherwise: it is not beside a throw-away exchange.
        settings = throw_away_settings(**{"mode": "production"} | found)
    except ValidationError as error:
        names = sorted({".".join(map(str, one["loc"])) for one in error.errors()})
        raise SettingsInvalid("settings are not right", names=", ".join(names)) from None
    for name in NEEDED:
        if not getattr(settings, name) and getattr(settings, name) != 0:
            raise SettingsInvalid("a console alone needs this setting", name=name)
    refuse_half_a_console(settings)
    return settings


async def _run(
    settings: Settings, told: Callable[[str], None] | None, ready: Path | None, metrics_port: int | None
) -> None:
    log = open_log(settings.log_file, settings.log_level)
    material = _material(settings)
    beside, shown = Beside(CONSOLE, CLASSES), [end_of(material).timestamp()]
    beside.watch_certificate(lambda: shown[0])
    door = ConsoleDoor(settings, material, log, utc_now, count=beside.count)

    def renew(renewed: Material) -> None:
        door.renew(renewed)
        shown[0] = end_of(renewed).timestamp()

    renewing = Renewing(_files(settings), material, (renew,), log, utc_now, beside=(door.look,))
    stop, loop = asyncio.Event(), asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    told_at = beside.serve(metrics_port)
    url = await door.start()
    try:
        renewing.start()
        _say_ready(ready, url, told_at)
        log.info("ready", place="console")
        if told is not None:
            told(url)
        await stop.wait()
    finally:
        await renewing.stop()
        await door.stop(settings.drain_s)
        beside.close()
        _take_back(ready)
        log.info("stopped")


def _say_ready(file: Path | None, url: str, metrics_port: int) -> None:
    """Write, whole or not at all, where the console listens: for scripts that started it."""
    if file is not None:
        said = {"pid": os.getpid(), "console_url": url, "metrics_port": metrics_port}
        partial = file.with_suffix(".partial")
        partial.write_text(json.dumps(said), encoding="utf-8")
        partial.replace(file)


def _take_back(file: Path | None) -> None:
    if file is not None:
        file.unlink(missing_ok=True)


def _files(settings: Settings) -> tuple[Path, Path, Path]:
    """Return where certificate and key lie; nobody shows one to it: its own stands for those of others."""
    assert settings.server_certificate is not None, "looked at before"
    assert settings.server_key is not None, "looked at before"
    return settings.server_certificate, settings.server_key, settings.server_certificate


def _material(settings: Settings) -> Material:
    """Return the console's own certificate. Raises SettingsInvalid."""
    try:
        material = read_material(_files(settings))
    except SettingsInvalid:
        raise SettingsInvalid("the console's certificate is not there", name="server_certificate") from None
    refuse_unfit(material)
    refuse_out_of_time(material, utc_now())
    return material
