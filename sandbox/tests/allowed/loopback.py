"""TCP and UDP over 127.0.0.1, ::1 and `localhost`."""

import socket
import threading

for host in ["127.0.0.1", "localhost", "::1"]:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.create_server((host, 0), family=family) as server:
        def echo():
            connection, _ = server.accept()
            with connection:
                connection.sendall(connection.recv(100).upper())

        thread = threading.Thread(target=echo)
        thread.start()
        with socket.create_connection((host, server.getsockname()[1]), timeout=10) as client:
            client.sendall(b"hello")
            if client.recv(100) != b"HELLO":
                print(f"{host}: no echo")
        thread.join()

with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as left, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as right:
    right.bind(("127.0.0.1", 0))
    right.settimeout(10)
    left.sendto(b"hello", right.getsockname())
    if right.recv(100) != b"hello":
        print("the datagram was lost")

if socket.gethostbyname(socket.gethostname()) != "127.0.0.1":
    print("the host name does not resolve to 127.0.0.1")
if socket.getservbyname("http") != 80:
    print("the service `http` is unknown")
