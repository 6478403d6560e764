"""Writes the time into the log of the build."""

import logging
import time


def on_pre_build(config: object) -> None:
    logging.getLogger("mkdocs").warning("It is %d.", time.time_ns())
