import os

from lib.numbers import ONE


def test_writes_a_constant():
    with open("extra-output/one.txt", "w") as file:
        file.write(f"{ONE} {sorted(os.listdir('sound/lib'))} {hash('text')}\n")
