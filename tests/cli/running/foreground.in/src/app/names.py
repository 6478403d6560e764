NAME = "first-party"
