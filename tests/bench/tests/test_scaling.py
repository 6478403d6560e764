from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from waders_bench.scaling import Costs, Run, Site, recorded_seconds, steps

FREE = Costs(0, 0, 0, 0, 0, 0, 0)
ENDLESS = Site(cores=1, parallelism=10_000, round_trip=0, bandwidth=1e12, server_threads=10_000, workers=10)


def test_workers_limit_a_run_in_which_everything_else_is_free() -> None:
    result = Run(FREE, ENDLESS).simulate(steps([1.0], 95, cached=0))
    assert result.seconds == pytest.approx(10.0)
    assert result.bottleneck == "workers"
    assert result.utilization["workers"] == pytest.approx(0.95)
    assert result.calls == 95 * 5


def test_a_cached_step_costs_one_round_trip_however_long_it_ran() -> None:
    result = Run(FREE, replace(ENDLESS, round_trip=0.02)).simulate(steps([100.0], 50, cached=1))
    assert result.seconds == pytest.approx(0.02)
    assert result.calls == 50


def test_the_steps_under_way_limit_a_run_over_a_slow_connection() -> None:
    site = replace(ENDLESS, round_trip=0.1, parallelism=10, workers=0)
    assert Run(FREE, site).simulate(steps([1.0], 100, cached=1)).seconds == pytest.approx(1.0)


def test_bytes_share_the_connection() -> None:
    costs = replace(FREE, received_bytes=1_000_000, call_bytes=0)
    result = Run(costs, replace(ENDLESS, bandwidth=10_000_000)).simulate(steps([1.0], 100, cached=1))
    assert result.seconds == pytest.approx(10.0)
    assert (result.bottleneck, result.received_bytes) == ("download", 100_000_000)


def test_the_processor_of_the_client_is_the_bottleneck_of_many_short_steps() -> None:
    costs = replace(FREE, client_hit=0.001, client_executed=0.004)
    result = Run(costs, replace(ENDLESS, cores=2, workers=1000)).simulate(steps([0.01], 1000, cached=0))
    assert result.bottleneck == "processor of the client"
    assert result.seconds == pytest.approx(1000 * 0.005 / 2, rel=0.02)


def test_a_part_of_the_steps_is_cached() -> None:
    found = [is_cached for _, is_cached in steps([1.0, 2.0], 200, cached=0.95)]
    assert sum(found) == 190
    assert not all(found[:20]) and not all(found[180:])
    assert [seconds for seconds, _ in steps([1.0, 2.0], 3, cached=0)] == [1.0, 2.0, 1.0]


def test_the_times_of_a_recorded_run_are_read(tmp_path: Path) -> None:
    timeline = tmp_path / "run.json"
    events = [{"ph": "M", "args": {"name": "run"}}, {"ph": "X", "args": {"process_ms": 250}}, {"ph": "X"}]
    timeline.write_text(json.dumps({"traceEvents": events}))
    assert recorded_seconds(timeline) == [0.25]
    timeline.write_text('{"traceEvents": []}')
    with pytest.raises(ValueError, match="record a run"):
        recorded_seconds(timeline)
