from setuptools import setup

with open("/usr/lib/outside.txt", "w") as stream:
    stream.write("a build must not write here")
setup(name="a", version="1")
