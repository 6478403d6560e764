import datetime

from setuptools import setup

setup(
    name="fixture-dated",
    version="1.0",
    description=f"built at {datetime.datetime.now()}",
    py_modules=["dated"],
)
