SAID = "first"
