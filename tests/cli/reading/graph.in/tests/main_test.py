from app.main import go


def test_go():
    go()
