import subprocess


def test_program():
    subprocess.run(["psql", "--version"], check=True)


def test_script():
    subprocess.run("jq . data.json >&2", shell=True, check=True)
