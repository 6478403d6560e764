import yaml
from app import words
from lib import text


def go():
    print(text.loud(words.HELLO), yaml.__version__)
