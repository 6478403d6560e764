from app.names import NAME


def test_name():
    assert NAME == "first-party"
