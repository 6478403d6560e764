from app.main import main


def test_main() -> None:
    assert main() == "fixture_app"
