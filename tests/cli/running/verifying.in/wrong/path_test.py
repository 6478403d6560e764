def test_writes_a_path_of_the_host():
    with open("/proc/self/mountinfo") as mounts:
        [source] = [line.split()[3] for line in mounts if line.split()[4] == "/out"]
    with open("extra-output/store.txt", "w") as file:
        file.write(f"the output is in {source}\n")
