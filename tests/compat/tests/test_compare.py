import json

import pytest
from waders_compat.compare import compare
from waders_compat.question import Question
from waders_compat.share import share

LIST = Question("list", ("list", "::"))
PEEK = Question("peek", ("peek", "::"))


def target(address, **fields):
    return {"address": address, "target_type": "python_source", **fields}


def shares_of(theirs, ours):
    return {share.what: share for share in compare(PEEK, json.dumps(theirs), json.dumps(ours)).shares}


@pytest.mark.parametrize(
    ("theirs", "ours", "equal", "missing", "surplus"),
    [
        ("a\nb\n", "b\na\n", 2, (), ()),
        ("a\nb\n", "b\nc\n", 1, ("a",), ("c",)),
        ("a\na\n", "a\n", 1, ("a",), ()),
        ("", "", 0, (), ()),
    ],
)
def test_the_order_of_lines_is_ignored(theirs, ours, equal, missing, surplus):
    (lines,) = compare(LIST, theirs, ours).shares
    assert (lines.equal, lines.missing, lines.surplus) == (equal, missing, surplus)


def test_only_equal_items_are_100_percent():
    almost = share("lines", map(str, range(100_000)), map(str, range(99_999)))
    assert almost.percent == 99.99
    assert share("lines", [], []).percent == 100.0


def test_edges_and_fields_of_peek_are_counted_separately():
    found = shares_of(
        [target("a", dependencies=["b", "c"], tags=[]), target("b", dependencies=[], tags=["x"])],
        [target("a", dependencies=["b"], tags=[]), target("b", dependencies=[], tags=["y"])],
    )
    assert found["equal edges"].missing == ("a -> c",)
    assert found["targets with equal edges"].missing == ("a",)
    assert found["equal fields"].missing == ('b tags = ["x"]',)
    assert found["equal fields"].surplus == ('b tags = ["y"]',)


def test_a_target_of_only_one_side_is_counted_once():
    found = shares_of([target("a", dependencies=["b"]), target("b")], [target("b"), target("c")])
    assert found["equal targets"].missing == ("a",)
    assert found["equal targets"].surplus == ("c",)
    assert found["equal edges"].all == 0


def test_a_missing_field_differs_from_null():
    assert shares_of([target("a", tags=None)], [target("a")])["equal fields"].missing == ("a tags = null",)


@pytest.mark.parametrize("text", ["", "[", "[1]", '[{"target_type": "x"}]', '{"a": {"b": 1}}'])
def test_invalid_output_of_peek_is_a_failure(text):
    comparison = compare(PEEK, "[]", text)
    assert comparison.failure is not None
    assert not comparison.is_equal
