"""How much of what either side says both say. Lines, edges and fields are all compared like this."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Share:
    """`missing` is said by Pants only, `surplus` by Waders only; both sorted, with repetitions."""

    what: str
    equal: int
    missing: tuple[str, ...] = ()
    surplus: tuple[str, ...] = ()

    @property
    def all(self) -> int:
        return self.equal + len(self.missing) + len(self.surplus)

    @property
    def percent(self) -> float:
        """Rounded down to hundredths, so that 100 means that nothing differs."""
        return 100.0 if self.all == 0 else self.equal * 10_000 // self.all / 100


def share(what: str, theirs: Iterable[str], ours: Iterable[str]) -> Share:
    """As multisets: the order of lines is not looked at, how often one is said is."""
    # `iter`: a dictionary would be taken for counts.
    expected, found = Counter(iter(theirs)), Counter(iter(ours))
    return Share(
        what,
        (expected & found).total(),
        tuple(sorted((expected - found).elements())),
        tuple(sorted((found - expected).elements())),
    )
