"""First bench: gated, sealed, leaved, durable commands of the writer beside the library as it comes.

Promises: baseline and result are measured in one run, in turns, three rounds, medians; nothing is asserted.
Measured in process, without gRPC: groups of `IN_FLIGHT` walks over as many plans, and groups as large as the
queue makes them. What a caller of a service sees is measured in `load`.
"""

from __future__ import annotations

import gc
import os
import statistics
import tempfile
import time
import uuid
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import date
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from exchange.domain import AGGREGATES, stream_of
from exchange.domain.intake import receive_report
from exchange.domain.plan import DescribeSituation, ReceiveReport, SetGoal
from exchange.domain.resident import RegisterResident
from exchange.domain.values import Author
from exchange.errors import ExchangeError
from exchange.gate.judge import judge
from exchange.gate.model import Facts, Field
from exchange.ledger.leaf import Signed
from exchange.pipeline.queue import GROUP_WALKS_MAX
from exchange.pipeline.walk import Caller, Claim, CommandWalk, Steps
from exchange.settings import throw_away_settings
from exchange.store.library_baseline import LibraryBaseline
from exchange.wiring.bench_handover import Arrivals
from exchange.wiring.bench_ledger import Turn, ledger_figures, overhead, write_without_leaves
from exchange.wiring.bench_raw import row_bytes
from exchange.wiring.core import Core, genesis, open_core, utc_now
from exchange.wiring.load.figures import ratio

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from exchange.settings import Settings
    from exchange.wiring.load.place import Place

IN_FLIGHT: Final = 64
ROUNDS: Final = 3
COMMANDS_PER_ROUND: Final = 1_600
BASELINE_EVENTS: Final = 800
BASELINE_COMMANDS: Final = 128  # two for each plan, so that plans stay at 20 events
LEDGER_TURNS: Final = 5  # with leaves and without, in each round
GATE_FIELDS: Final = 12
GATE_RUNS: Final = 5_000
WORDS: Final = "Ik wil weer onder de mensen komen en dan aan het werk."
THUMBPRINT: Final = "00" * 32
NECESSITY: Final = "Nodig voor het onderzoek; niet op minder ingrijpende wijze te verkrijgen"


@dataclass(slots=True)
class Bench:
    """One empty shard with plans in it."""

    core: Core
    plans: list[str]
    thumbprint: str = THUMBPRINT

    @classmethod
    def open(cls, folder: Path, plans: int, witness_policy: Path | None = None) -> Bench:
        """Make a shard with residents, cases and plans, in a folder."""
        return cls.made(throw_away_settings(data=folder, witness_policy=witness_policy), plans)

    @classmethod
    def made(
        cls, settings: Settings, plans: int, thumbprint: str = THUMBPRINT, signing_key: str = THUMBPRINT
    ) -> Bench:
        """Make a shard with residents, cases and plans where the settings say."""
        core = open_core(settings)
        genesis(core, utc_now(), thumbprint=thumbprint, signing_key=signing_key)
        bench = cls(core, [], thumbprint)
        for _ in range(plans):
            bench.plans.append(bench._new_plan())
        return bench

    def group(self, size: int) -> list[CommandWalk]:
        """Return one group of commands, each on a plan of its own."""
        return [self._goal(plan_id) for plan_id in self.plans[:size]]

    def steady_group(self, size: int) -> list[CommandWalk]:
        """Return one group of commands that make no plan longer: each describes anew what was described."""
        described = DescribeSituation(
            now=utc_now(),
            author=self._author(),
            life_domain="social_network",
            description=WORDS,
            strengths=WORDS,
            score=2,
            judge_date=date(2026, 3, 2),
        )
        decide, streams = AGGREGATES["plan"].decide, [stream_of("plan", one) for one in self.plans[:size]]

        def steps(stream: str) -> Callable[[Any], Steps]:
            return lambda view: Steps([(stream, decide(described, view.state(stream)))])

        return [self._walk(stream, steps(stream)) for stream in streams]

    def arrivals(self) -> Arrivals:
        """Return what brings handed-over plans in here."""
        return Arrivals(self.core, self._author(), self._new_plan, self._walk)

    def _new_plan(self) -> str:
        resident = uuid.uuid4().hex
        now, author = utc_now(), self._author()
        register = RegisterResident(
            now=now, author=author, resident=resident, birth_date=date(1984, 5, 17), capable=True
        )
        stream = stream_of("resident", resident)
        self._run(
            stream,
            lambda view: Steps([(stream, AGGREGATES["resident"].decide(register, view.state(stream)))]),
        )
        ids = [str(uuid.uuid4()) for _ in range(3)]
        report = ReceiveReport(
            now=now,
            author=author,
            resident=resident,
            case_id=ids[0],
            plan_id=ids[1],
            report_id=ids[2],
            life_domains=("social_network",),
            own_words=WORDS,
            desk="bench",
        )
        self._run(stream, lambda _: Steps(receive_report(report, None, None)))
        return ids[1]

    def _run(self, anchor: str, process: Callable[[Any], Steps]) -> None:
        outcomes = self.core.writer.run([self._walk(anchor, process, relation=False)])
        refuse_errors(outcomes)

    def _goal(self, plan_id: str) -> CommandWalk:
        stream = stream_of("plan", plan_id)
        command = SetGoal(
            now=utc_now(),
            author=self._author(),
            goal_id=str(uuid.uuid4()),
            own_words=WORDS,
            desired_effect=WORDS,
            life_domain="social_network",
            target_date=date(2027, 1, 1),
        )
        decide = AGGREGATES["plan"].decide
        return self._walk(stream, lambda view: Steps([(stream, decide(command, view.state(stream)))]))

    def _walk(self, anchor: str, process: Callable[[Any], Steps], *, relation: bool = True) -> CommandWalk:
        request_id = str(uuid.uuid4())
        return CommandWalk(
            rpc="SetGoal",
            caller=Caller(
                self.core.settings.operator_oin,
                "college:WMO",
                "bench",
                "regisseur",
                self.thumbprint,
                two_factor=True,
                mutual_tls=True,
            ),
            claim=Claim("wmo-onderzoek", "WMO-2.3.2", NECESSITY),
            now=utc_now(),
            request_id=request_id,
            content=sha256(request_id.encode()).digest(),
            anchor=anchor,
            fields=(("own_words", "WMO-PLAN"), ("desired_effect", "WMO-PLAN")),
            process=process,
            relation=relation,
            # As long as a real one: what stands in the leaf was verified before the queue.
            signed=Signed(sha256(request_id.encode()).digest(), os.urandom(64)),
        )

    def _author(self) -> Author:
        return Author(self.core.settings.operator_oin, "college:WMO", "bench", operator=True)


def refuse_errors(outcomes: Sequence[object]) -> None:
    """Raise the first error among outcomes: a bench of refusals would measure something else."""
    for outcome in outcomes:
        if isinstance(outcome, ExchangeError):
            raise outcome


def measure_writer(progress: Callable[[str], None], place: Place) -> Measured:
    """Measure the writer without gRPC, beside the library and the store."""
    with tempfile.TemporaryDirectory(prefix="exchange-bench-") as name, ExitStack() as opened:
        folder = Path(name)

        def shard(name: str) -> Bench:
            settings = opened.enter_context(place.shard(folder / name))
            bench = Bench.made(settings, GROUP_WALKS_MAX)
            opened.callback(bench.core.close)
            return bench

        bench, leafless = shard("shard"), shard("leafless")
        write_without_leaves(leafless.core)
        library = LibraryBaseline(opened.enter_context(place.library(folder / "library")), IN_FLIGHT)
        opened.callback(library.close)
        raw = opened.enter_context(place.rows(folder / "raw", row_bytes(bench.core)))
        progress("warming up")
        commands_per_s(bench, GROUP_WALKS_MAX)
        commands_per_s(leafless, GROUP_WALKS_MAX)
        _library_per_s(library)
        raw.rows_per_s()
        found = Measured()
        for number in range(ROUNDS):
            progress(f"round {number + 1} of {ROUNDS}")
            found.saves.append(_library_per_s(library))
            found.handled.append(_library_commands_per_s(library))
            found.writes.append(commands_per_s(bench, IN_FLIGHT))
            found.full.append(commands_per_s(bench, GROUP_WALKS_MAX))
            found.rows.append(raw.rows_per_s())
            found.turns += _with_and_without_leaves(bench, leafless)
        found.gate_us = _gate_us(bench)
        found.machine = place.machine(os.cpu_count())
        if not place.dsn:
            found.machine["synchronous"] = library.synchronous()
    return found


def commands_per_s(bench: Bench, in_flight: int) -> float:
    """Return commands a second, walked in groups of this size."""
    return rate_and_cpu(bench, in_flight)[0]


def rate_and_cpu(
    bench: Bench, in_flight: int, groups: Sequence[Sequence[CommandWalk]] = ()
) -> tuple[float, float]:
    """Return commands a second, and the microseconds of processor each took in all threads together."""
    groups = groups or [bench.group(in_flight) for _ in range(COMMANDS_PER_ROUND // in_flight)]
    _settle()
    writer = bench.core.writer
    with ThreadPoolExecutor(1) as committer:
        started, worked = time.perf_counter(), time.process_time()
        under_way: Future[None] | None = None
        for group in groups:
            # As the queue does: a group is walked while the one before it is committed.
            walked = writer.walk(group)
            refuse_errors(walked.outcomes)
            if under_way is not None:
                under_way.result()
            under_way = committer.submit(writer.commit, walked)
        if under_way is not None:
            under_way.result()
        count, cpu_s = len(groups) * in_flight, time.process_time() - worked
        return _rate(count, started), cpu_s / count * 1e6


def _with_and_without_leaves(bench: Bench, leafless: Bench) -> list[Turn]:
    # In full groups: there the disk hides least of it. Who goes first changes from turn to turn.
    found = []
    for number in range(LEDGER_TURNS):
        sides = (bench, leafless) if number % 2 else (leafless, bench)
        walked = {id(side): rate_and_cpu(side, GROUP_WALKS_MAX) for side in sides}
        found.append(Turn(*walked[id(bench)], *walked[id(leafless)]))
    return found


def _library_per_s(library: LibraryBaseline) -> float:
    _settle()
    started = time.perf_counter()
    library.set_goals(BASELINE_EVENTS, WORDS)
    return _rate(BASELINE_EVENTS, started)


def _library_commands_per_s(library: LibraryBaseline) -> float:
    library.make_short_plans(IN_FLIGHT, WORDS)
    _settle()
    started = time.perf_counter()
    library.handle_commands(BASELINE_COMMANDS, WORDS)
    return _rate(BASELINE_COMMANDS, started)


def _rate(count: int, started: float) -> float:
    rate = count / (time.perf_counter() - started)
    gc.enable()
    return rate


def _settle() -> None:
    # The service collects in idle moments; both sides are measured that way.
    gc.collect()
    gc.freeze()
    gc.disable()


def _gate_us(bench: Bench) -> float:
    fields = tuple(
        Field(f"goals.field_{number}", "WMO-PLAN", provider="college:WMO", acquired_for="wmo")
        for number in range(GATE_FIELDS)
    )
    facts = Facts(
        now=utc_now(),
        actor_auth="2FA+mTLS",
        legal_basis="WMO-5.2.1-2a",
        purpose="wmo-levering",
        provider="college:WMO",
        recipient="wmo-aanbieder",
        recipient_id="bench",
        fields=fields,
        case_relation=True,
        necessity=NECESSITY,
        age=40,
        capable=True,
        consent=None,
    )
    times = []
    for _ in range(GATE_RUNS):
        started = time.perf_counter()
        judge(facts, bench.core.register)
        times.append(time.perf_counter() - started)
    return statistics.median(times) * 1e6


@dataclass(slots=True)
class Measured:
    """What was found: rates per second by round, and the gate's median in microseconds."""

    writes: list[float] = field(default_factory=list)
    full: list[float] = field(default_factory=list)  # of writes, in groups as large as they get
    saves: list[float] = field(default_factory=list)
    handled: list[float] = field(default_factory=list)
    rows: list[float] = field(default_factory=list)  # that the store takes without us
    turns: list[Turn] = field(default_factory=list)  # of writes in full groups, with leaves and without
    gate_us: float = 0.0
    machine: dict[str, Any] = field(default_factory=dict)


def report_of(found: Measured, store: str) -> dict[str, Any]:
    """Return what was found as it is printed."""
    gate_us = round(found.gate_us, 1)
    return {
        "machine": found.machine,
        "store": store,
        "baselines": {
            "library_save_1_event": _rates(found.saves, "events/s"),
            "library_get_command_save": _rates(found.handled, "commands/s"),
            "raw_rows_100": _rates(found.rows, "rows/s"),
        },
        "results": {
            "writer_commands": _rates(found.writes, "commands/s"),
            "writer_commands_full_groups": _rates(found.full, "commands/s"),
            **ledger_figures(found.turns),
            "gate_us": {"median": gate_us, "unit": "µs", "runs": [gate_us]},
        },
        "ratios": {
            "writes_vs_library_save": ratio(found.writes, found.saves),
            "writes_full_groups_vs_library_save": ratio(found.full, found.saves),
            "writer_vs_library": ratio(found.writes, found.handled),
            "full_groups_vs_raw": ratio(found.full, found.rows),
            "gate_us": gate_us,
            "ledger_overhead": overhead(found.turns),
        },
    }


def report_of_nothing(machine: dict[str, Any], store: str) -> dict[str, Any]:
    """Return a report that others add to, where the writer was not asked for."""
    return {"machine": machine, "store": store, "baselines": {}, "results": {}, "ratios": {}}


def _rates(rates: list[float], unit: str) -> dict[str, Any]:
    return {"median": round(statistics.median(rates)), "unit": unit, "runs": [round(rate) for rate in rates]}
