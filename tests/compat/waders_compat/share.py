"""The share of items that both sides have. Lines, edges and fields are compared like this."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Share:
    """Only Pants has the items in `missing`, only Waders those in `surplus`; both are sorted, with repetitions."""

    what: str
    equal: int
    missing: tuple[str, ...] = ()
    surplus: tuple[str, ...] = ()

    @property
    def all(self) -> int:
        return self.equal + len(self.missing) + len(self.surplus)

    @property
    def percent(self) -> float:
        """The share in percent, rounded down to hundredths, so that 100 means that nothing differs."""
        return 100.0 if self.all == 0 else self.equal * 10_000 // self.all / 100


def share(what: str, theirs: Iterable[str], ours: Iterable[str]) -> Share:
    """Compares multisets: the order of items is ignored, their number is not."""
    # `Counter` would interpret a dictionary as counts.
    expected, found = Counter(iter(theirs)), Counter(iter(ours))
    return Share(
        what,
        (expected & found).total(),
        tuple(sorted((expected - found).elements())),
        tuple(sorted((found - expected).elements())),
    )
