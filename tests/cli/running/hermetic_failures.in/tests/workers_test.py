import os

import pytest


@pytest.mark.parametrize("number", range(4))
def test_first(number):
    assert os.environ["PYTEST_XDIST_WORKER_COUNT"] == "2"


def test_second():
    pass
