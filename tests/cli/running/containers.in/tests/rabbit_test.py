import socket


def test_it():
    with socket.create_connection(("127.0.0.1", 5672)) as rabbit:
        rabbit.sendall(b"AMQP\x00\x00\x09\x01")
        assert b"RabbitMQ" in rabbit.recv(1000)
