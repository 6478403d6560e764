import os


def test_worker():
    assert os.environ["PYTEST_XDIST_WORKER"] == "gw0"
    assert os.environ["PYTEST_XDIST_WORKER_COUNT"] == "1"
