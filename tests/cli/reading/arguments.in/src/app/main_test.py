from app.main import main


def test_it_runs():
    main()
