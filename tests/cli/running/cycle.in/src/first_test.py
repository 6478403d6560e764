import chicken
import egg


def test_both_are_there():
    assert (chicken.lay(), egg.hatch()) == ("white", "cluck")
