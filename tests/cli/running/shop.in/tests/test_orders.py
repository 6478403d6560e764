import time


def test_an_order_is_sent():
    time.sleep(0.1)
