import egg

CRY = "cluck"


def lay() -> str:
    return egg.SHELL
