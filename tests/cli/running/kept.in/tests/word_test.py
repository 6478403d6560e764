import pathlib
import time

from word import SAID


def test_tells_the_word_after_a_while():
    time.sleep(1)
    pathlib.Path("extra-output/said").write_text(SAID)
