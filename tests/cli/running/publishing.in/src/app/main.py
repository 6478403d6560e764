print("published")
