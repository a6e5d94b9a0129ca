"""A line between two ends that can be cut: at once, at the next answer, or for as long as a test wants.

Promises: forwards bytes and looks into none; over TCP or a Unix socket; ends its threads.
"""

from __future__ import annotations

import socket
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

PIECE = 65_536
CLOSE_WAIT_S = 10.0


class Proxy:
    """Listens on a port of its own, or on the Unix socket that is named; `connect` reaches the other end."""

    def __init__(self, connect: Callable[[], socket.socket], path: Path | None = None) -> None:
        self._connect = connect
        if path is None:
            self._listener = socket.create_server(("127.0.0.1", 0))
        else:
            self._listener = socket.socket(socket.AF_UNIX)
            self._listener.bind(str(path))
            path.chmod(0o777)
            self._listener.listen()
        self._changed = threading.Condition()
        self._pairs: set[tuple[socket.socket, socket.socket]] = set()
        self._armed = False  # whether the next answer is swallowed, and its line cut
        self._least_bytes, self._passed = 1, 0
        self._shut = False
        self.swallowed = 0
        self.folder = None if path is None else path.parent
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self._threads[0].start()

    @property
    def target(self) -> str:
        """Where it listens, over TCP."""
        return f"127.0.0.1:{self._listener.getsockname()[1]}"

    def cut(self) -> None:
        """Cut every line that is open; new ones are let through."""
        with self._changed:
            pairs = list(self._pairs)
        for pair in pairs:
            _end(pair)

    def swallow(self, *, least_bytes: int = 1, passed: int = 0) -> None:
        """Let the next answer come as far as here, and cut its line.

        Of so many bytes at least, on a line where so many pieces passed before: no greeting of two ends.
        """
        with self._changed:
            self._armed, self._least_bytes, self._passed = True, least_bytes, passed

    def wait_swallowed(self, count: int, timeout_s: float = 30.0) -> None:
        """Wait until so many answers were swallowed in all."""
        with self._changed:
            assert self._changed.wait_for(lambda: self.swallowed >= count, timeout_s), "no answer came by"

    def shut(self) -> None:
        """Cut every line, and let no new one through."""
        self._shut = True
        self.cut()

    def open(self) -> None:
        """Let lines through again."""
        with self._changed:
            self._shut, self._armed = False, False

    def close(self) -> None:
        """End it."""
        self._shut = True
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.cut()
        for thread in self._threads:
            thread.join(CLOSE_WAIT_S)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # --- the lines --------------------------------------------------------------------------------------

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            far = None
            if not self._shut:
                with suppress(OSError):
                    far = self._connect()
            if far is None:
                near.close()
                continue
            pair = (near, far)
            with self._changed:
                self._pairs.add(pair)
            for answers in (False, True):
                thread = threading.Thread(target=self._forward, args=(pair, answers), daemon=True)
                self._threads.append(thread)
                thread.start()

    def _forward(self, pair: tuple[socket.socket, socket.socket], answers: bool) -> None:  # noqa: FBT001 -- which of two ways
        source, sink = (pair[1], pair[0]) if answers else pair
        passed = 0
        with suppress(OSError):
            while piece := source.recv(PIECE):
                if answers and self._swallows(len(piece), passed):
                    break
                sink.sendall(piece)
                passed += 1
        _end(pair)
        with self._changed:
            first = pair in self._pairs
            self._pairs.discard(pair)
        if not first:
            # The second of the two to end: nobody uses them any more.
            for end in pair:
                end.close()

    def _swallows(self, size: int, passed: int) -> bool:
        with self._changed:
            if not self._armed or size < self._least_bytes or passed < self._passed:
                return False
            self._armed = False
            self.swallowed += 1
            self._changed.notify_all()
        return True


def over_tcp(target: Callable[[], str]) -> Callable[[], socket.socket]:
    """Return what connects to where a service listens now."""

    def connect() -> socket.socket:
        host, _, port = target().rpartition(":")
        return socket.create_connection((host, int(port)), timeout=None)

    return connect


def over_socket(path: Path) -> Callable[[], socket.socket]:
    """Return what connects to a Unix socket."""

    def connect() -> socket.socket:
        made = socket.socket(socket.AF_UNIX)
        try:
            made.connect(str(path))
        except OSError:
            made.close()
            raise
        return made

    return connect


def _end(pair: tuple[socket.socket, socket.socket]) -> None:
    for end in pair:
        with suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)
