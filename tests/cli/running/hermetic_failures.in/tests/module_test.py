import importlib


def test_plugin():
    name = "pears"
    assert importlib.import_module(f"shop.{name}").PRICE == 3
