import chicken

SHELL = "white"


def hatch() -> str:
    return chicken.CRY
