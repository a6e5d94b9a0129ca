"""How long a caller waits for a receipt that three witnesses cosigned.

Promises: the witnesses are processes of their own, over HTTP on loopback, each with its files; a receipt
counts from when its write was acknowledged; one without all three cosignatures is an error, no figure.
"""

from __future__ import annotations

import asyncio
import json
import math
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack, closing
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol

from exchange.errors import Unavailable, WitnessesMissing
from exchange.logs import open_log
from exchange.wiring.core import pipeline_of, publisher_of, utc_now
from exchange.wiring.cosigning import Cosigning, witness_policy
from exchange.wiring.witness import READY_FILE, make_key

if TYPE_CHECKING:
    from collections.abc import Callable

    from exchange.pipeline.publisher import Publisher
    from exchange.pipeline.queue import Pipeline
    from exchange.pipeline.walk import CommandWalk
    from exchange.wiring.core import Core

WITNESSES: Final = 3
CALLERS: Final = 8
RECEIPTS_OF_EACH: Final = 25
ROUNDS: Final = 3
START_WAIT_S: Final = 20.0
LOOK_EVERY_S: Final = 0.02
P99: Final = "receipt_three_witnesses_p99_s"
MEDIAN: Final = "receipt_three_witnesses_s"
BYTES: Final = "receipt_bytes"


class Shard(Protocol):
    """An open shard that gives commands to run, each on a plan of its own."""

    core: Core

    def group(self, size: int) -> list[CommandWalk]:
        """Return so many commands."""
        ...


def with_receipts(report: dict[str, Any], open_shard: Callable[[Path, Path], Shard]) -> dict[str, Any]:
    """Return the report with the figures of receipts; `open_shard` gets a folder and a policy's place."""
    report["results"] |= receipt_figures(open_shard)
    return report


def receipt_figures(open_shard: Callable[[Path, Path], Shard]) -> dict[str, Any]:
    """Measure: median and 99th percentile of each round in seconds, and the largest proof in bytes."""
    with tempfile.TemporaryDirectory(prefix="exchange-bench-") as name, ExitStack() as opened:
        folder = Path(name)
        shard = open_shard(folder / "shard", folder / "witnesses")
        opened.callback(shard.core.close)
        logs = folder / "logs"
        logs.write_text(f"log {shard.core.signer.vkey}\nquorum none\n", encoding="utf-8")
        lines = [_start(folder / f"w{number}", logs, number, opened) for number in range(WITNESSES)]
        names = " ".join(f"W{number}" for number in range(WITNESSES))
        (folder / "witnesses").write_text(
            "".join(lines) + f"group all-of-them all {names}\nquorum all-of-them\n", encoding="utf-8"
        )
        rounds, largest = asyncio.run(_measure(shard))
    medians = [round(statistics.median(one), 4) for one in rounds]
    highest = [round(sorted(one)[math.ceil(len(one) * 0.99) - 1], 4) for one in rounds]
    return {
        MEDIAN: {"median": statistics.median(medians), "unit": "s", "runs": medians},
        P99: {"median": statistics.median(highest), "unit": "s", "runs": highest},
        BYTES: {"median": largest, "unit": "bytes", "runs": [largest]},
    }


def _start(data: Path, logs: Path, number: int, opened: ExitStack) -> str:
    """Start a witness; return its line in a policy."""
    vkey = make_key(data, f"w{number + 1}.example")
    words = ["witness", "serve", "--data", str(data), "--logs", str(logs), "--port", "0"]
    process = subprocess.Popen(  # noqa: S603 -- our own program, fixed words
        [sys.executable, "-m", "exchange", *words, "--log-file", str(data / "log")],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    opened.callback(process.wait)
    opened.callback(process.terminate)
    until = time.monotonic() + START_WAIT_S
    while not (data / READY_FILE).exists():
        if process.poll() is not None or time.monotonic() > until:
            raise Unavailable("a witness of the bench did not start")
        time.sleep(LOOK_EVERY_S)
    url = json.loads((data / READY_FILE).read_text(encoding="utf-8"))["url"]
    return f"witness W{number} {vkey} {url}\n"


async def _measure(shard: Shard) -> tuple[list[list[float]], int]:
    core = shard.core
    policy = witness_policy(core.settings)
    if policy is None:
        raise WitnessesMissing("the shard of the bench names no witnesses")
    log = open_log(stream=StringIO())
    with closing(Cosigning(core, policy, log, utc_now)) as cosigning:
        publisher = publisher_of(core, lambda _: None, cosigning.cosigners, cosigning.missing)
        pipeline = pipeline_of(core)
        await publisher.start(pipeline)
        try:
            await publisher.receipt(0, await_quorum=True)
            rounds, largest = [], 0
            for _ in range(ROUNDS):
                found = await asyncio.gather(
                    *(_caller(shard, publisher, pipeline, number) for number in range(CALLERS))
                )
                rounds.append([seconds for one in found for seconds, _ in one])
                largest = max(largest, *(size for one in found for _, size in one))
        finally:
            await pipeline.drain()
            await publisher.stop()
    return rounds, largest


async def _caller(
    shard: Shard, publisher: Publisher, pipeline: Pipeline, number: int
) -> list[tuple[float, int]]:
    """Write and wait for the receipt, one after another; return seconds and bytes of each."""
    found = []
    for _ in range(RECEIPTS_OF_EACH):
        done: Any = await pipeline.submit(shard.group(number + 1)[number])
        started = time.perf_counter()
        proof = await publisher.receipt(done.leaf_index, await_quorum=True)
        found.append((time.perf_counter() - started, len(proof.text.encode())))
        if proof.missing:
            raise WitnessesMissing("a receipt of the bench has no quorum", missing=", ".join(proof.missing))
    return found
