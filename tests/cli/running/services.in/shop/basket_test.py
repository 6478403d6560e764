import os
import socket


def ask(command):
    with socket.create_connection((os.environ["REDIS_HOST"], int(os.environ["REDIS_PORT"]))) as redis:
        redis.sendall(command)
        return redis.recv(100)


def test_the_server_is_empty_and_answers():
    assert ask(b"DBSIZE\r\n") == b":0\r\n"
    assert ask(b"SET answer 42\r\n") == b"+OK\r\n"
    assert ask(b"GET answer\r\n") == b"$2\r\n42\r\n"
