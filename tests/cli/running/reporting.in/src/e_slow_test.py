import time


class TestSlow:
    def test_that_takes_a_second(self):
        time.sleep(1.01)
