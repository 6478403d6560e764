import urllib.request

from setuptools import setup

urllib.request.urlopen("http://example.invalid/version.txt")
setup(name="a", version="1")
