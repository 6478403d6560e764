import os
import signal


def test_that_kills_its_own_process():
    os.kill(os.getpid(), signal.SIGSEGV)
