VALUE = "a file without a test"
