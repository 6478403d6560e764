from app import main
def test(): pass
