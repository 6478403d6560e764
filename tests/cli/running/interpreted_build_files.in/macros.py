class Numbers:
    def __init__(self):
        self.last = 0

    def next(self):
        self.last += 1
        return self.last


numbers = Numbers()


def numbered(stem, **fields):
    try:
        target(name=f"{stem}{numbers.next()}", **fields)
    except ValueError:
        raise


def plain(name):
    target(name=name)
