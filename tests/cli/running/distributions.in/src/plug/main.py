from base.core import answer


def main():
    print(f"the answer is {answer()}")


def load():
    return "loaded"
