import pytest
from waders_bench.measure import Pair, Sample
from waders_bench.table import duration, pairs


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [(12.345, "12.3 s"), (1.0, "1.00 s"), (0.0456, "45.6 ms"), (0.000789, "789 µs"), (0.0000012, "1.20 µs")],
)
def test_durations_have_a_suitable_unit(seconds, expected):
    assert duration(seconds) == expected


def test_a_row_contains_both_sides_and_the_ratio():
    row = Pair("trivial action", ours=Sample((0.001,)), theirs=Sample((0.004,)))
    assert pairs([row]).splitlines()[-1] == (
        "| trivial action | 1.00 ms (1.00 ms – 1.00 ms) | 4.00 ms (4.00 ms – 4.00 ms) | 4.00 (4.00) |"
    )
