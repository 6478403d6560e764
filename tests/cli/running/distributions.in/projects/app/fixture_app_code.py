def main():
    print("run as a program")
