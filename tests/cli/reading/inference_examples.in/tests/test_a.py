from app.main import y2


def test():
    pass
