from lib import text

HELLO = text.loud("hello")
