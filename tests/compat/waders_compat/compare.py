"""Compares two answers to a question. Nothing is run here."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from waders_compat.question import Question
from waders_compat.share import Share, share

Targets = dict[str, dict[str, Any]]

# The field that is compared as edges.
EDGES = "dependencies"


@dataclass(frozen=True)
class Comparison:
    question: Question
    shares: tuple[Share, ...]
    # The reason why the answers cannot be compared.
    failure: str | None = None

    @property
    def is_equal(self) -> bool:
        return self.failure is None and all(share.equal == share.all for share in self.shares)


def compare(question: Question, theirs: str, ours: str) -> Comparison:
    if not question.is_peek:
        return Comparison(question, (share("equal lines", theirs.splitlines(), ours.splitlines()),))
    try:
        return Comparison(question, peeks(targets(theirs), targets(ours)))
    except (ValueError, KeyError, TypeError) as error:
        return Comparison(question, (), f"invalid output of `peek`: {error}")


def targets(text: str) -> Targets:
    return {target["address"]: target for target in json.loads(text)}


def peeks(theirs: Targets, ours: Targets) -> tuple[Share, ...]:
    """Compares targets and, of the targets that both sides have, their edges, their sets of edges, and their fields."""
    both = theirs.keys() & ours.keys()
    same_edges = [address for address in both if edges_of(theirs[address]) == edges_of(ours[address])]
    return (
        share("equal targets", theirs, ours),
        share("equal edges", edges(theirs, both), edges(ours, both)),
        share("targets with equal edges", both, same_edges),
        share("equal fields", fields(theirs, both), fields(ours, both)),
    )


def edges_of(target: dict[str, Any]) -> set[str]:
    return set(target.get(EDGES) or ())


def edges(targets: Targets, addresses: Iterable[str]) -> Iterator[str]:
    return (f"{address} -> {other}" for address in addresses for other in edges_of(targets[address]))


def fields(targets: Targets, addresses: Iterable[str]) -> Iterator[str]:
    """The fields of targets as `address field = value`."""
    for address in addresses:
        for field, value in targets[address].items():
            if field != EDGES:
                yield f"{address} {field} = {json.dumps(value, sort_keys=True, ensure_ascii=False)}"
