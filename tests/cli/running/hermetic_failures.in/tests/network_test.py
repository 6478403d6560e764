import socket


def test_network():
    socket.create_connection(("shop.example.invalid", 80))
