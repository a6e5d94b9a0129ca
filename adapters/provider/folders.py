"""Messages as files: an inbox that takes only whole files, an outbox that writes only whole files.

Promises: a file is handed out once it parses; one that stays half-written is refused after a bounded number
of looks, never waited for without end. No file is deleted here: it ends in archive/, or in rejected/ with a
NAME.reason.txt that names element and rule and no value. What is moved is what was read: where somebody wrote
over it meanwhile, the new file stays and is looked at. A written file is there whole or not at all, also
after a crash. Source: rename(2), link(2), fsync(2).
"""

from __future__ import annotations

import errno
import hashlib
import os
import stat
import time
from dataclasses import dataclass, field
from mmap import mmap
from pathlib import Path
from typing import TYPE_CHECKING, Final

from adapters.kit.leaving import UNSEEN, State, give_back, leave, put_back, state_of, take_away
from adapters.kit.put_aside import stamp
from adapters.provider.errors import (
    FileRefused,
    Finding,
    MessageNotReadable,
    MessageRefused,
    ProviderAdapterError,
)
from adapters.provider.parsing import MESSAGE_BYTES_MAX, parse
from adapters.provider.stuf import ENVELOPE_BYTES_MAX, is_envelope
from adapters.provider.xml import Message, control

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

LOOKS_UNCHANGED_MAX: Final = 5
LOOKS_TOTAL_MAX: Final = 200
NAME_BYTES_MAX: Final = 200
LARGE_BYTES: Final = 1024 * 1024
_SUFFIX: Final = ".xml"


@dataclass(frozen=True, slots=True)
class Incoming:
    """A whole message that lies in the inbox; `digest` is the SHA-256 of its bytes.

    `state` tells it from another file under its name.
    """

    name: str
    message: Message
    size: int
    digest: bytes = field(repr=False)
    state: State


@dataclass(slots=True)
class _Look:
    """What a file that did not parse looked like, and how often it was seen so."""

    state: State
    unchanged: int = 1
    total: int = 1


class Inbox:
    """A folder others write into. Used by one process; the counts of looks live as long as this object.

    `refused` is told of every file that was put aside because it will never be a message. `opening` takes
    what a file that is no message carries out of it and returns under which name it lies here now; the file
    itself is gone then, for it says nothing more.
    """

    def __init__(
        self,
        inbox: Path,
        archive: Path,
        rejected: Path,
        refused: Callable[[str, ProviderAdapterError], None] | None = None,
        opening: Callable[[bytes], str | None] | None = None,
        *,
        now_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
    ) -> None:
        self._now_ms = now_ms
        self._inbox = inbox
        self._archive = archive
        self._rejected = rejected
        self._refused = refused
        self._opening = opening
        self._looks: dict[str, _Look] = {}
        for folder in (inbox, archive, rejected):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        give_back(inbox)

    def take(self) -> Iterator[Incoming]:
        """Give the whole messages now in the inbox, by name; move what will never be one to rejected/.

        One after the other, so that a full inbox does not fill memory.
        """
        names = sorted(path.name for path in self._inbox.iterdir() if _looks_like_message(path.name))
        for gone in self._looks.keys() - set(names):
            del self._looks[gone]
        for name in names:
            incoming = self._look(name)
            if incoming is not None:
                yield incoming

    def _look(self, name: str) -> Incoming | None:
        state = UNSEEN
        try:
            content, state = _read_file(self._inbox / name, self._bytes_max)
            if self._opening is not None and is_envelope(content):
                carried = self._opening(content)
                take_away(self._inbox / name, state)
                self._looks.pop(name, None)
                # Not beside what it carried: both may be large.
                del content
                return None if carried is None else self._look(carried)
            size, digest = len(content), hashlib.sha256(content).digest()
            held = _given_back(content)
            # Not beside the message: both may be large.
            del content
            message = control(parse(held))
        except FileNotFoundError:
            return None
        except PermissionError:
            # Whoever writes it may still be setting its rights; that too is waited for within bounds.
            self._wait(name, state, FileRefused("this file may not be read"))
        except MessageNotReadable as error:
            self._wait(name, state, error)
        except (FileRefused, MessageRefused) as error:
            self._refuse(name, state, error)
        else:
            self._looks.pop(name, None)
            return Incoming(name, message, size, digest, state)
        return None

    @property
    def _bytes_max(self) -> int:
        return MESSAGE_BYTES_MAX if self._opening is None else ENVELOPE_BYTES_MAX

    def _wait(self, name: str, state: State, error: ProviderAdapterError) -> None:
        if self._given_up(name, state):
            self._refuse(name, state, error)

    def _refuse(self, name: str, state: State, error: ProviderAdapterError) -> None:
        kept = self.reject(name, f"{error.code}: {error}", remedy=error.remedy, state=state)
        if kept is not None and self._refused is not None:
            self._refused(name, error)

    def _given_up(self, name: str, state: State) -> bool:
        """Count one more look at an unfinished file; a file that still changes gets more of them."""
        look = self._looks.get(name)
        if look is None:
            look = self._looks[name] = _Look(state)
        else:
            look.unchanged = look.unchanged + 1 if look.state == state else 1
            look.total += 1
            look.state = state
        return look.unchanged >= LOOKS_UNCHANGED_MAX or look.total >= LOOKS_TOTAL_MAX

    def archive(self, incoming: Incoming) -> Path | None:
        """Move a processed file to archive/, under a free name; return where it went, None where it is gone.

        Where it lies is safe after `settle`; until then a power cut may put it back, and it comes again.
        """
        leaving = leave(self._inbox / incoming.name, incoming.state)
        return None if leaving is None else _move(leaving, _free(incoming.name, self._archive))

    def keep(self, name: str, content: bytes) -> str:
        """Write a message that lay elsewhere to archive/, and return under which name: again, the same."""
        return _write_beside(self._archive, name, content)

    def give_back(self, name: str, content: bytes) -> None:
        """Write a message that lay elsewhere to inbox/ again, as it came, flushed."""
        _write_beside(self._inbox, name, content)
        sync_folder(self._inbox)

    def read(self, incoming: Incoming) -> bytes | None:
        """Return the bytes of a message that lies in the inbox; None where others lie there by now."""
        try:
            content = (self._inbox / incoming.name).read_bytes()
        except FileNotFoundError:
            return None
        return content if hashlib.sha256(content).digest() == incoming.digest else None

    def remove(self, incoming: Incoming) -> None:
        """Take a file away that is kept elsewhere."""
        take_away(self._inbox / incoming.name, incoming.state)
        sync_folder(self._inbox)

    def settle(self) -> None:
        """Flush what was archived."""
        sync_folder(self._inbox)
        sync_folder(self._archive)

    def reject(
        self,
        name: str,
        reason: str,
        findings: Iterable[Finding] = (),
        remedy: str = "",
        state: State = UNSEEN,
    ) -> Path | None:
        """Move a file to rejected/ with the reason beside it, and return where it went.

        None where another file lies under its name by now, by its `state` where that was seen: it stays.
        """
        kept = _free(name, self._rejected)
        lines = [reason, *map(str, findings), *([f"What to do: {remedy}"] if remedy else [])]
        told = f"{kept.name}.reason.txt"
        # One without its file is of a kill, or of a file that somebody took back and mended.
        (self._rejected / told).unlink(missing_ok=True)
        # The reason first: whatever happens in between, no file lies there without one.
        written = write_whole(self._rejected, told, ("\n".join(lines) + "\n").encode())
        # How long it is kept counts from now: the file itself keeps the time its sender gave it.
        stamp(written, self._now_ms())
        _move(self._inbox / name, kept)
        another = state not in {UNSEEN, state_of(kept.lstat())}
        if another:
            put_back(kept, self._inbox / name)
            written.unlink()
        sync_folder(self._inbox)
        sync_folder(self._rejected)
        self._looks.pop(name, None)
        return None if another else kept


class Outbox:
    """A folder others read from."""

    def __init__(self, outbox: Path) -> None:
        self._outbox = outbox
        outbox.mkdir(mode=0o700, parents=True, exist_ok=True)

    def emit(self, name: str, content: bytes) -> Path:
        """Write a message under its name. Writing the same again changes nothing; other content is refused.

        That it is there is safe after `settle`.
        Raises FileRefused for a name that is taken or no name, OSError when the disk will not take it.
        """
        if not _is_message_name(name):
            raise FileRefused("a message in the outbox has a plain name that ends in .xml")
        return write_whole(self._outbox, name, content)

    def settle(self) -> None:
        """Flush what was written."""
        sync_folder(self._outbox)


def _write_beside(folder: Path, name: str, content: bytes) -> str:
    stem, number = Path(name).stem, 1
    target = folder / name
    while target.exists() and target.read_bytes() != content:
        number += 1
        target = folder / f"{stem}.{number}{Path(name).suffix}"
    return write_whole(folder, target.name, content).name


def write_whole(folder: Path, name: str, content: bytes) -> Path:
    """Write a file that is there whole or not at all; the caller flushes the folder.

    Raises FileRefused where the name holds other bytes.
    """
    target = folder / name
    try:
        if target.read_bytes() == content:
            return target
    except FileNotFoundError:
        pass
    else:
        raise FileRefused("this name is taken by a file with other content")
    # A name with a dot in front: readers of the folder leave it alone, and a crash leaves only this.
    draft = passing(target)
    try:
        with draft.open("wb") as file:
            os.fchmod(file.fileno(), 0o600)
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(target)
    except OSError:
        draft.unlink(missing_ok=True)
        raise
    return target


def passing(target: Path) -> Path:
    """Return where a file is while it is written."""
    return target.with_name(f".{target.name}.part")


def _given_back(content: bytes) -> bytes | mmap:
    """Return large bytes as a map in memory, which is given back to the system as it is read."""
    if len(content) <= LARGE_BYTES:
        return content
    held = mmap(-1, len(content))
    held.write(content)
    return held


def _looks_like_message(name: str) -> bool:
    return Path(name).name == name and not name.startswith(".") and name.lower().endswith(_SUFFIX)


def _is_message_name(name: str) -> bool:
    # Room is left for what is put around a name: .reason.txt, a number, .part. A name of other bytes than
    # UTF-8 is no text, which no journal takes.
    return _looks_like_message(name) and name.isprintable() and len(os.fsencode(name)) <= NAME_BYTES_MAX


def _read_file(path: Path, bytes_max: int) -> tuple[bytes, State]:
    """Return the bytes and (inode, size, time of change); reads at most one byte over the limit."""
    if not _is_message_name(path.name):
        raise FileRefused(f"a name has at most {NAME_BYTES_MAX} bytes, of text")
    try:
        # No link is followed and no pipe waited for: whoever may write here may not make us read elsewhere.
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        if error.errno in {errno.ELOOP, errno.ENXIO}:
            raise FileRefused("a link, pipe or device is no message") from None
        raise
    status = os.fstat(handle)
    if not stat.S_ISREG(status.st_mode):
        os.close(handle)
        raise FileRefused("a folder, pipe or device is no message")
    with os.fdopen(handle, "rb") as file:
        content = file.read(bytes_max + 1)
    return content, state_of(status)


def _free(name: str, folder: Path) -> Path:
    """Return where a file of this name may go: a plain name of text that is not taken there."""
    stem, suffix = Path(name).stem, Path(name).suffix
    if not _is_message_name(name):
        stem = hashlib.sha256(os.fsencode(name)).hexdigest()[:16]
    target = folder / f"{stem}{suffix}"
    number = 1
    while target.exists() or target.is_symlink():
        number += 1
        target = folder / f"{stem}.{number}{suffix}"
    return target


def _move(source: Path, target: Path) -> Path:
    try:
        source.rename(target)
    except OSError as error:
        if error.errno == errno.EXDEV:
            raise FileRefused("inbox, archive and rejected must lie on one file system") from None
        raise
    return target


def sync_folder(folder: Path) -> None:
    """Flush what was written, moved and taken away in a folder."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
