import pathlib
import time

from word import WORD


def test_writes_the_word_after_a_second():
    time.sleep(1)
    pathlib.Path("extra-output/word").write_text(WORD)
