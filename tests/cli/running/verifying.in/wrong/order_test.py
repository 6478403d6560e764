import os


def test_writes_a_directory_in_the_order_of_the_file_system():
    with open("extra-output/listing.txt", "w") as file:
        file.writelines(name + "\n" for name in os.listdir("wrong/listed"))
