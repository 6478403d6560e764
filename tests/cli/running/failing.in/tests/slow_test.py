import time


def test_longer_than_its_timeout():
    time.sleep(60)
