"""A shard that is served: plans made beforehand, then an ordinary service in a process of its own.

Promises: the service is `exchange serve` with the defaults of development, over mutual TLS on loopback, and
waits for the disk as every service does; whoever calls is known to it as an organisation that signs.
"""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from exchange.domain import stream_of
from exchange.wiring.bench import Bench, refuse_errors
from exchange.wiring.bench_raw import row_bytes
from exchange.wiring.demo_processes import child_service, rss_mb, serve_command
from exchange.wiring.load import processes
from exchange.wiring.load.calls import DOMAINS
from exchange.wiring.load.place import store_environment
from exchange.wiring.service import OPERATOR_FOLDER, door_material

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from exchange.settings import Settings
    from exchange.wiring.load.place import Place
    from exchange.wiring.load.processes import Obedient
    from exchange.wiring.load.sizes import Sizes

GOALS: Final = 2
ECHO: Final = "echo"


@dataclass(frozen=True, slots=True)
class Shard:
    """A shard that nobody serves yet."""

    settings: Settings
    plans: list[tuple[str, int]]  # id and version
    row_bytes: int  # of an event with its leaf


@dataclass(slots=True)
class Site:
    """Who calls, and the lines he has open. `extra` keeps what further lines need until the end."""

    place: Place
    folder: Path
    sizes: Sizes
    caller: Obedient
    extra: ExitStack
    answers: list[int] = field(default_factory=list)  # bytes of the answers to a read and to a command
    row_bytes: int = 0
    pids: dict[str, int] = field(default_factory=dict)

    def serve(
        self,
        name: str,
        place: Place | None = None,
        environment: Mapping[str, str] | None = None,
        command: Callable[[Settings], Sequence[str]] = serve_command,
        until: ExitStack | None = None,
    ) -> Shard:
        """Serve a new shard and open a line of its name; its plans are as long as they get.

        It is served to the end of the site, or `until` something else ends.
        """
        shard = (until or self.extra).enter_context(
            served(place or self.place, self.folder / name, self.sizes.plans, environment, command)
        )
        self.pids[name] = shard.pid
        self.caller.ask(
            "open",
            line=name,
            target=shard.target,
            folder=str(shard.shard.settings.data / OPERATOR_FOLDER),
            plans=shard.shard.plans,
        )
        self.closed(name, "write", len(DOMAINS) * self.sizes.plans)
        return shard.shard

    def echo(self, shard: Shard, name: str) -> None:
        """Start what echoes answers as long as those of a shard's service."""
        self.answers, self.row_bytes = self.caller.ask("sizes", line=name), shard.row_bytes
        target, self.pids[ECHO] = self.extra.enter_context(processes.echo(shard.settings.data, self.answers))
        folder = str(shard.settings.data / OPERATOR_FOLDER)
        self.caller.ask("open", line=ECHO, target=target, folder=folder, plans=[])

    def timed(self, line: str, kind: str, *, echoed: bool = False) -> tuple[float, float]:
        """Return calls a second, and the microseconds of processor each took of the process that answers."""
        pid = self.pids[ECHO if echoed else line]
        before = processes.processor_s(pid)
        per_s = self.closed(line, kind, self.sizes.calls, echoed=echoed)["per_s"]
        return per_s, (processes.processor_s(pid) - before) / self.sizes.calls * 1e6

    def batched(self, line: str) -> tuple[float, float]:
        """Return commands a second sent many to a message, and the microseconds of processor each took."""
        before = processes.processor_s(self.pids[line])
        sizes = self.sizes
        told = self.caller.ask(
            "batched", line=line, count=sizes.calls, size=sizes.batch, in_flight=sizes.batches_in_flight
        )
        return told["per_s"], (processes.processor_s(self.pids[line]) - before) / sizes.calls * 1e6

    def closed(
        self, lines: str | Sequence[str], kind: str, count: int, in_flight: int = 0, *, echoed: bool = False
    ) -> dict[str, float]:
        """Keep calls under way on lines; return calls a second, and times in milliseconds."""
        found: dict[str, float] = self.caller.ask(
            "closed",
            lines=[lines] if isinstance(lines, str) else list(lines),
            kind=kind,
            count=count,
            in_flight=in_flight or self.sizes.in_flight,
            **({"echo_line": ECHO} if echoed else {}),
        )
        return found

    def rate(
        self, line: str, kind: str, per_s: float, seconds: float, *, echoed: bool = False
    ) -> dict[str, float]:
        """Send calls at a rate; return times in milliseconds, each from when it was due."""
        found: dict[str, float] = self.caller.ask(
            "rate",
            line=line,
            kind=kind,
            count=max(1, round(per_s * seconds)),
            per_s=per_s,
            **({"echo_line": ECHO} if echoed else {}),
        )
        return found

    def rss_mb(self, name: str) -> float:
        """Return the resident memory of a service in MB."""
        return rss_mb(self.pids[name])


@dataclass(frozen=True, slots=True)
class Served:
    """A shard with its service."""

    shard: Shard
    target: str
    pid: int


@contextmanager
def open_site(place: Place, folder: Path, sizes: Sizes) -> Iterator[Site]:
    """Start who calls; end him, and everything he called, when the block ends."""
    with ExitStack() as extra:
        yield Site(place, folder, sizes, extra.enter_context(processes.caller()), extra)


@contextmanager
def served(
    place: Place,
    folder: Path,
    plans: int,
    environment: Mapping[str, str] | None = None,
    command: Callable[[Settings], Sequence[str]] = serve_command,
) -> Iterator[Served]:
    """Make a shard, and serve it until the block ends. Raises Unavailable where it does not start."""
    with place.shard(folder, port=0, metrics_port=0, log_file=folder / "service.log") as settings:
        shard = make_shard(settings, plans)
        said = store_environment(settings) | dict(environment or {})
        with child_service(command(settings), settings.data, said) as (process, ready):
            yield Served(shard, _by_name(ready), process.pid)


def make_shard(settings: Settings, plans: int) -> Shard:
    """Make residents, cases and plans with some goals; nobody serves them yet."""
    settings.data.mkdir(parents=True, exist_ok=True)
    _, thumbprint, signing_key = door_material(settings)
    bench = Bench.made(settings, plans, thumbprint, signing_key)
    try:
        for _ in range(GOALS):
            refuse_errors(bench.core.writer.run(bench.group(plans)))
        core = bench.core
        versions = [core.loader.load(stream_of("plan", plan)).version for plan in bench.plans]
        return Shard(settings, list(zip(bench.plans, versions, strict=True)), row_bytes(core))
    finally:
        bench.core.close()


def _by_name(ready: dict[str, Any]) -> str:
    # As the certificate has it; a service tells its address.
    return f"localhost:{ready['target'].rpartition(':')[2]}"
