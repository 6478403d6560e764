import subprocess


def test_that_leaves_processes_behind():
    for _ in range(3):
        subprocess.Popen(["sleep", "600"], start_new_session=True)
