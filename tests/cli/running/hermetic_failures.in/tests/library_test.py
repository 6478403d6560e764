import ctypes


def test_library():
    ctypes.CDLL("libGL.so.1")
