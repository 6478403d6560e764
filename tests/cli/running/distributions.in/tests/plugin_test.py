import importlib.metadata


def test_entry_points_are_found_without_an_import():
    (entry_point,) = importlib.metadata.entry_points(group="fixture.group")
    assert entry_point.load()() == "loaded"
