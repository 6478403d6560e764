import time


def test_long():
    time.sleep(300)
