from importlib.util import find_spec

import fixture_fast


def is_visible(name):
    return find_spec("fixture_" + name) is not None


def test_only_required_packages_are_visible():
    assert fixture_fast.VALUE == 1
    assert [name for name in ("alone", "app", "base", "fast") if is_visible(name)] == ["app", "base", "fast"]
