class Crash:
    name = "crash"
    version = "1"

    def __init__(self, tree):
        pass

    def run(self):
        raise RuntimeError("this plugin is broken")
