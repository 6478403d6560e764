import time

import pytest


@pytest.mark.parametrize("number", range(30))
def test_ends_in_an_order_that_depends_on_the_workers(number):
    time.sleep(number % 3 / 200)
