"""Events to subscribers: each judged when it is read, beside a bare stream of the very same messages.

Promises: what was streamed by the service is kept byte by byte and streamed again by the echo, so many times
over that opening the streams counts for little; both are read by the same caller, who opens every message.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from exchange.wiring.load.figures import Found, figure, ratio
from exchange.wiring.load.rates import FAST
from exchange.wiring.load.site import ECHO

if TYPE_CHECKING:
    from exchange.wiring.load.site import Site

KEYS: Final = frozenset({"fanout_events_s", "fanout_vs_stream"})


def measure_streams(site: Site) -> Found:
    """Measure on the line `fast`."""
    sizes, kept = site.sizes, str(site.folder / "streamed")
    judged, bare = [], []
    for _ in range(sizes.rounds):
        told = site.caller.ask(
            "follow",
            line=FAST,
            events=sizes.followed_events,
            subscribers=sizes.subscribers,
            in_flight=sizes.in_flight,
            keep=kept,
        )
        judged.append(told["per_s"])
        streamed = site.caller.ask(
            "stream", line=ECHO, subscribers=sizes.subscribers, times=sizes.echoed_times, kept=kept
        )
        bare.append(streamed["per_s"])
    subscribers = {"subscribers": sizes.subscribers}
    rate = figure(judged, "events/s")
    return Found(
        baselines={"bare_stream_events": figure(bare, "events/s") | subscribers},
        results={"fanout_events": rate | subscribers},
        ratios={"fanout_events_s": rate["median"], "fanout_vs_stream": ratio(judged, bare, 4)},
    )
