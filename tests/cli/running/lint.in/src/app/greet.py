import sys
import os


def greet( name ):
    return "hello %s" % (name,)
