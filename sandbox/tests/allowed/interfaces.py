"""Lists of interfaces, which many libraries print or bind to."""

import socket

if socket.if_nameindex() != [(1, "lo")]:
    print(socket.if_nameindex())
if socket.getaddrinfo("localhost", 80, type=socket.SOCK_STREAM, family=socket.AF_INET)[0][4] != ("127.0.0.1", 80):
    print("localhost is not resolved")
