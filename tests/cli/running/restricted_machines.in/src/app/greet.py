from importlib.resources import files

from app.names import polite


def greet(name: str) -> str:
    return files("app").joinpath("greeting.txt").read_text().strip() + " " + polite(name)
