def test_link():
    print("\033]8;;file:///src/a.py\033\\a.py\033]8;;\033\\ \033[1mbold\033[0m")
    assert False
