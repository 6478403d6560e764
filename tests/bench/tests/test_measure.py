import itertools

import pytest
from waders_bench.measure import CommandFailed, Pair, Sample, pair, run_command


def ticking_clock(steps):
    """A clock that advances by the given steps, one at each reading."""
    return lambda times=itertools.accumulate(itertools.cycle(steps)): next(times)


def test_the_two_sides_take_turns():
    order = []
    pair("turns", lambda: order.append("ours"), lambda: order.append("theirs"), rounds=2, warm_up=1)
    assert order == ["ours", "theirs"] * 3


def test_warm_up_rounds_are_not_counted():
    measured = pair("warm", lambda: None, lambda: None, rounds=3, warm_up=2, clock=ticking_clock([1.0]))
    assert len(measured.ours.seconds) == len(measured.theirs.seconds) == 3


def test_the_ratio_is_the_speed_up_of_ours():
    measured = Pair("ratio", ours=Sample((1.0, 2.0, 3.0)), theirs=Sample((20.0, 22.0, 18.0)))
    assert measured.ratio == 10.0
    assert measured.pessimistic_ratio == 6.0


def test_a_sample_without_measurements_is_refused():
    with pytest.raises(ValueError):
        Sample(())


def test_zero_rounds_are_refused():
    with pytest.raises(ValueError):
        pair("none", lambda: None, lambda: None, rounds=0)


def test_a_failing_command_is_an_error():
    with pytest.raises(CommandFailed, match="exit 3"):
        run_command(["/bin/sh", "-c", "exit 3"])
