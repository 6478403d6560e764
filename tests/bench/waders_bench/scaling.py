"""Simulates runs with a remote cache and remote workers that are larger than any cluster at hand.

A recorded run says how long its steps take; measured costs say what each step costs this machine, the network and the
server. The simulation queues the steps at these stations, each of which serves a number of steps at a time in the order
of their arrival. It does not know dependencies between steps: test files have none among each other.
"""

from __future__ import annotations

import heapq
import itertools
import json
from collections import deque
from collections.abc import Generator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path


@dataclass(frozen=True)
class Costs:
    """What a step costs. Times in seconds, sizes in bytes."""

    # The client's processor, for a result from the cache and for an executed step.
    client_hit: float
    client_executed: float
    # The server, for each call.
    server_call: float
    # The worker, to make the input root and to upload the outputs.
    worker_overhead: float
    # What a call sends and receives apart from contents.
    call_bytes: int
    # What a step sends: messages and the sources that the server does not have. And what a result brings.
    sent_bytes: int
    received_bytes: int


# With 200 small test files, a release build and buildbox-casd 1.4.25 on the same machine: see docs/scaling.md.
MEASURED = Costs(
    client_hit=0.0035,
    client_executed=0.010,
    server_call=0.0005,
    worker_overhead=1.2,
    call_bytes=600,
    sent_bytes=2_200,
    received_bytes=1_700,
)


@dataclass(frozen=True)
class Site:
    """Where the client is, and what it works with."""

    cores: int
    # The steps that are under way at the same time: `process_execution_remote_parallelism`.
    parallelism: int
    round_trip: float
    # In each direction, bytes per second.
    bandwidth: float
    # The calls that the server answers at the same time.
    server_threads: int
    workers: int


@dataclass
class Station:
    """Something that serves some steps at a time."""

    name: str
    servers: int
    busy: int = 0
    busy_seconds: float = 0.0
    queue: deque[tuple[int, float]] = field(default_factory=deque)


@dataclass(frozen=True)
class Result:
    """What a simulated run took."""

    seconds: float
    calls: int
    sent_bytes: int
    received_bytes: int
    # The part of the time in which each station was busy, between 0 and 1.
    utilization: dict[str, float]

    @property
    def bottleneck(self) -> str:
        return max(self.utilization, key=lambda name: self.utilization[name])


# A visit of a step: a station, or nothing for the time on the wire, and how long it takes there.
Visit = tuple[Station | None, float]


class Run:
    """A run with so many steps, of which a part is in the cache."""

    def __init__(self, costs: Costs, site: Site) -> None:
        self.costs = costs
        self.site = site
        self.calls = self.sent = self.received = 0
        self.client = Station("processor of the client", site.cores)
        self.up = Station("upload", 1)
        self.down = Station("download", 1)
        self.server = Station("server", site.server_threads)
        self.workers = Station("workers", max(site.workers, 1))

    def transfer(self, pipe: Station, size: int) -> Visit:
        if pipe is self.up:
            self.sent += size
        else:
            self.received += size
        return pipe, size / self.site.bandwidth

    def call(self, sent: int, received: int) -> Generator[Visit, None, None]:
        self.calls += 1
        yield self.transfer(self.up, self.costs.call_bytes + sent)
        yield None, self.site.round_trip / 2
        yield self.server, self.costs.server_call
        yield None, self.site.round_trip / 2
        yield self.transfer(self.down, self.costs.call_bytes + received)

    def step(self, seconds: float, is_cached: bool) -> Generator[Visit, None, None]:
        """The calls of a step: for its result; if there is none, to find what is missing, upload, execute, download."""
        costs = self.costs
        yield self.client, costs.client_hit
        yield from self.call(0, costs.received_bytes if is_cached else 0)
        if is_cached:
            return
        yield self.client, costs.client_executed
        yield from self.call(0, 0)
        yield from self.call(costs.sent_bytes, 0)
        yield from self.call(0, 0)
        yield self.workers, seconds + costs.worker_overhead
        yield from self.call(0, costs.received_bytes)

    def simulate(self, steps: Sequence[tuple[float, bool]]) -> Result:
        """Steps are pairs of their seconds on a worker, and whether the result is in the cache."""
        processes = [self.step(seconds, is_cached) for seconds, is_cached in steps]
        events: list[tuple[float, int, int, Station | None]] = []
        order = itertools.count()
        now = 0.0

        def start(station: Station | None, step: int, seconds: float) -> None:
            if station is not None:
                station.busy += 1
                station.busy_seconds += seconds
            heapq.heappush(events, (now + seconds, next(order), step, station))

        def advance(step: int) -> None:
            visit = next(processes[step], None)
            if visit is None:
                admit()
                return
            station, seconds = visit
            if station is not None and station.busy >= station.servers:
                station.queue.append((step, seconds))
            else:
                start(station, step, seconds)

        waiting = iter(range(len(processes)))

        def admit() -> None:
            step = next(waiting, None)
            if step is not None:
                advance(step)

        for _ in range(min(self.site.parallelism, len(processes))):
            admit()
        while events:
            now, _, step, station = heapq.heappop(events)
            if station is not None:
                station.busy -= 1
                if station.queue:
                    start(station, *station.queue.popleft())
            advance(step)
        stations = [self.client, self.up, self.down, self.server]
        if self.site.workers:
            stations.append(self.workers)
        utilization = {found.name: found.busy_seconds / (now * found.servers) if now else 0.0 for found in stations}
        return Result(now, self.calls, self.sent, self.received, utilization)


def recorded_seconds(timeline: Path) -> list[float]:
    """How long the processes of a recorded run took, from the file that `--trace` writes."""
    events = json.loads(timeline.read_text())["traceEvents"]
    times = [event["args"]["process_ms"] / 1000 for event in events if "process_ms" in event.get("args", {})]
    if not times:
        raise ValueError(f"{timeline} has no step that ran a process: record a run with `--trace` and an empty cache")
    return times


def steps(seconds: Sequence[float], count: int, cached: float) -> list[tuple[float, bool]]:
    """So many steps with the times of a recorded run, of which this part is in the cache, spread evenly."""
    return [
        (time, int((number + 1) * cached) > int(number * cached))
        for number, time in zip(range(count), itertools.cycle(seconds))
    ]


# Round trips and bandwidths in bytes per second: the same network as the server, an office, a home, a bad connection.
CONNECTIONS = {
    "same network, 0.5 ms, 10 Gbit/s": (0.0005, 1.25e9),
    "20 ms, 1 Gbit/s": (0.02, 1.25e8),
    "40 ms, 100 Mbit/s": (0.04, 1.25e7),
    "200 ms, 8 Mbit/s": (0.2, 1e6),
}

# The parts of the steps that are in the cache: all, all but those of one edit, none.
CACHED = (1.0, 0.99, 0.0)


@dataclass(frozen=True)
class Row:
    """A simulated run."""

    cached: float
    connection: str
    result: Result


def table(costs: Costs, site: Site, seconds: Sequence[float], count: int) -> list[Row]:
    """Simulates every part of cached steps over every connection."""
    rows = []
    for cached in CACHED:
        for connection, (round_trip, bandwidth) in CONNECTIONS.items():
            place = replace(site, round_trip=round_trip, bandwidth=bandwidth)
            rows.append(Row(cached, connection, Run(costs, place).simulate(steps(seconds, count, cached))))
    return rows
