import socket


def test_network_is_optional() -> None:
    with socket.socket() as connection:
        connection.settimeout(1)
        assert connection.connect_ex(("192.0.2.1", 80)) != 0
