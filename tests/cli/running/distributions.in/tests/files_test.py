import glob


def test_a_package_lies_beside_the_sources():
    assert glob.glob("*.whl") == ["fixture_plug-1.5-py3-none-any.whl"]
