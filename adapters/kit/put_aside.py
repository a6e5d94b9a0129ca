"""What was refused and is kept for a person: each file with its reason beside it, for a bounded time.

Promises: a reason is there before what it is about; one that is sealed stands nowhere in the clear and opens
under its own name only; each goes so many days after it was refused, or with whoever it is about.
Source: GDPR 5(1)(e), 5(1)(f), 17.
"""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from adapters.sdk.logs import AdapterLog

REASON: Final = ".reason.txt"
SEALED: Final = ".sealed"
# More than any input may have; of a longer one the beginning is kept, and its reason says so.
KEPT_BYTES_MAX: Final = 1024 * 1024
DAY_NS: Final = 24 * 3_600 * 10**9
UNREAD: Final = ".unread"
TIDY_EVERY_MS: Final = 3_600_000
# Drafts that a thread of this process is writing: a door may keep something while the loop seals and tidies.
_UNDER_WAY: Final = set[Path]()


class CannotOpen(Exception):
    """What is sealed does not open with this key, in this place."""


class Sealing(Protocol):
    """The seal an adapter's own stores are kept under."""

    def seal(self, content: bytes, about: str) -> bytes:
        """Return content sealed for one place."""

    def open(self, sealed: bytes, about: str) -> bytes:
        """Return what was sealed for this place. Raises CannotOpen."""


# --- a folder of files as they came, or sealed --------------------------------------------------------------


def reason_of(file: Path) -> Path:
    """Return where the reason of a file stands."""
    return file.with_name(f"{file.name}{REASON}")


def kept_in(folder: Path) -> Iterator[Path]:
    """Give the files of a folder that are no reasons; no link is followed."""
    for path in sorted(folder.iterdir()) if folder.is_dir() else ():
        if not path.name.endswith(REASON) and not path.is_symlink() and path.is_file():
            yield path


def erase(folder: Path, is_about: Callable[[Path], bool]) -> int:
    """Remove the files that are about somebody, each with its reason; return how many."""
    found = [path for path in kept_in(folder) if is_about(path)]
    for path in found:
        _remove(path)
    return len(found)


def expire(folder: Path, now_ms: int, days: int) -> int:
    """Remove what was refused more than so many days ago; return how many.

    The time of its reason is when it was refused: a file keeps the time its sender gave it.
    """
    oldest_ns = now_ms * 1_000_000 - days * DAY_NS
    paths = folder.iterdir() if folder.is_dir() else ()
    names = {path.name.removesuffix(REASON) for path in paths if not path.is_dir()}
    found = [folder / name for name in sorted(names) if _refused_ns(folder / name) < oldest_ns]
    stuck: OSError | None = None
    for path in found:
        try:
            _remove(path)
        except OSError as error:
            # Told once the others are gone: one that will not go keeps none of them.
            stuck = error
    if stuck is not None:
        raise stuck
    return len(found)


def stamp(file: Path, now_ms: int) -> None:
    """Say when something was refused, on its reason."""
    os.utime(file, ns=(now_ms * 1_000_000, now_ms * 1_000_000))


def _refused_ns(path: Path) -> int:
    for one in (reason_of(path), path):
        with suppress(FileNotFoundError):
            return one.lstat().st_mtime_ns
    # Taken away by somebody meanwhile.
    return 2**63


def _remove(path: Path) -> None:
    # The file first: what a kill leaves is a reason, which holds nobody's data and goes with its time.
    path.unlink(missing_ok=True)
    reason_of(path).unlink(missing_ok=True)


def put_whole(file: Path, content: bytes, written_ns: int) -> None:
    """Put a file in its place, whole, readable by its owner only, as of a moment."""
    draft = file.with_name(f".{file.name}")
    draft.unlink(missing_ok=True)
    _UNDER_WAY.add(draft)
    try:
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as opened:
            # Not os.write, which on a disk that is all but full takes a part and says so to nobody who asks.
            opened.write(content)
            opened.flush()
            os.fsync(descriptor)
        os.utime(draft, ns=(written_ns, written_ns))
        draft.replace(file)
    except OSError:
        draft.unlink(missing_ok=True)
        raise
    finally:
        _UNDER_WAY.discard(draft)


# --- what is sealed -----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Refused:
    """One that is kept: its name, when it was refused, and the first line of why."""

    name: str
    refused_ns: int
    reason: str

    @property
    def refused_on(self) -> str:
        """Return the day, UTC."""
        return datetime.fromtimestamp(self.refused_ns / 10**9, UTC).date().isoformat()


class PutAside:
    """A folder of what was refused, each file sealed for its own name."""

    def __init__(self, folder: Path, seal: Sealing, now_ms: Callable[[], int]) -> None:
        self._folder: Final = folder
        self._seal: Final = seal
        self._now_ms: Final = now_ms
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)

    def put(self, name: str, file: Path, reason: str) -> None:
        """Seal a file under a name nobody used, its reason first, and take it away where it lay.

        One that cannot be read is moved as it is: it is nobody's to read here. Raises OSError.
        """
        try:
            content = _read(file)
        except PermissionError:
            content = None
        place = self._folder / f"{name}{UNREAD if content is None else SEALED}"
        if content is not None and len(content) > KEPT_BYTES_MAX:
            reason += f"Of this file the first {KEPT_BYTES_MAX} bytes are kept.\n"
        self._write(reason_of(place), reason)
        try:
            if content is None:
                file.rename(place)
            else:
                put_whole(place, self._sealed(place.name, content), self._now_ms() * 1_000_000)
                file.unlink()
        except OSError:
            # It is looked at again under another name: a reason for each look would fill the disk.
            _remove(place)
            raise

    def keep(self, name: str, content: bytes, reason: str) -> None:
        """Seal content under a name, its reason first; again under the same name, it is as it was last.

        Raises OSError; what was kept under the name before stays then.
        """
        place = self._folder / f"{name}{SEALED}"
        fresh = not place.exists()
        self._write(reason_of(place), reason)
        try:
            put_whole(place, self._sealed(place.name, content), self._now_ms() * 1_000_000)
        except OSError:
            if fresh:
                _remove(place)
            raise

    def say(self, name: str, reason: str) -> None:
        """Write a reason of which no file is kept. Raises OSError."""
        self._write(self._folder / f"{name}{REASON}", reason)

    def listed(self) -> tuple[Refused, ...]:
        """Return what is kept, in the order it was refused."""
        found = [path for path in kept_in(self._folder) if path.suffix == SEALED and path.name[0] != "."]
        told = (Refused(path.name, _refused_ns(path), _first_line(reason_of(path))) for path in found)
        return tuple(sorted(told, key=lambda one: (one.refused_ns, one.name)))

    def read(self, name: str) -> bytes:
        """Return what came, as it came. Raises KeyError where nothing is kept under this name."""
        if name not in {one.name for one in self.listed()}:
            raise KeyError(name)
        return self._opened(self._folder / name)

    def seal_clear(self) -> int:
        """Seal what lies here in the clear, as an earlier version left it; return how many were.

        At the start only: what a kill left half-written goes. A reason and the moment something was refused
        go with it. What cannot be read goes with its time.
        """
        sealed = 0
        for path in list(self._folder.iterdir()):
            if path.is_symlink() or not path.is_file():
                continue
            if path in _UNDER_WAY:
                continue
            if path.name.startswith("."):
                path.unlink(missing_ok=True)
            elif not path.name.endswith((REASON, SEALED)):
                with suppress(PermissionError):
                    self._seal_one(path)
                    sealed += 1
        return sealed

    def _seal_one(self, path: Path) -> None:
        content, refused_ns = _read(path), path.lstat().st_mtime_ns
        place = self._free(path, content)
        for before in (path.with_name(f"{path.stem}{REASON}"), reason_of(path), reason_of(place)):
            with suppress(FileNotFoundError):
                refused_ns = before.lstat().st_mtime_ns
                before.replace(reason_of(place))
        # Again after a kill: the same content under the same name.
        put_whole(place, self._sealed(place.name, content), refused_ns)
        path.unlink()

    def _free(self, path: Path, content: bytes) -> Path:
        """Return where what lies in the clear goes: by its name without an end, unless another has that."""
        place = path.with_name(f"{path.stem}{SEALED}")
        # Again after a kill it is the same content.
        with suppress(FileNotFoundError, CannotOpen):
            if self._opened(place) == content[:KEPT_BYTES_MAX]:
                return place
        return path.with_name(f"{path.name}{SEALED}") if place.exists() else place

    def erase(self, is_about: Callable[[bytes], bool]) -> int:
        """Remove what is about somebody; return how many. What opens for nobody goes with its time."""

        def found(path: Path) -> bool:
            # Or taken away by somebody meanwhile.
            with suppress(CannotOpen, FileNotFoundError):
                return path.suffix == SEALED and is_about(self._opened(path))
            return False

        return erase(self._folder, found)

    def expire(self, days: int) -> int:
        """Remove what was refused more than so many days ago; return how many."""
        return expire(self._folder, self._now_ms(), days)

    def _opened(self, path: Path) -> bytes:
        return self._seal.open(path.read_bytes(), _place(path.name))

    def _sealed(self, name: str, content: bytes) -> bytes:
        return self._seal.seal(content[:KEPT_BYTES_MAX], _place(name))

    def _write(self, file: Path, reason: str) -> None:
        put_whole(file, reason.encode(), self._now_ms() * 1_000_000)


def _place(name: str) -> str:
    return f"rejected {name}"


def _read(file: Path) -> bytes:
    """Return at most one byte more than is kept; no link is followed."""
    descriptor = os.open(file, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(descriptor, "rb") as opened:
        return opened.read(KEPT_BYTES_MAX + 1)


def _first_line(reason: Path) -> str:
    with suppress(FileNotFoundError):
        return reason.read_text(encoding="utf-8").partition("\n")[0]
    return ""


# --- once an hour -------------------------------------------------------------------------------------------


class Tidying:
    """Seals and ages a folder, and tells of it. Owned by the thread that works."""

    def __init__(self, kept: PutAside, days: int, log: AdapterLog, now_ms: Callable[[], int]) -> None:
        self._kept: Final = kept
        self._days: Final = days
        self._log: Final = log
        self._now_ms: Final = now_ms
        self._next_ms = 0
        self._last_ms = 0
        self._started = False

    def work(self) -> None:
        """Seal at the start what lies in the clear; once an hour, remove what was refused long enough ago."""
        # A clock that was set back is no reason to wait until it is there again.
        if self._last_ms <= self._now_ms() < self._next_ms:
            return
        try:
            sealed = 0 if self._started else self._kept.seal_clear()
            self._started = True
            gone = self._kept.expire(self._days)
        except OSError as error:
            # Looked at again at the next pass: what cannot be sealed or taken away is for a person.
            self._log.error("rejected_failed", error=type(error).__name__)
            return
        self._last_ms = self._now_ms()
        self._next_ms = self._last_ms + TIDY_EVERY_MS
        if sealed:
            self._log.warning("rejected_sealed", count=sealed)
        if gone:
            self._log.warning("rejected_expired", count=gone)
