"""Listing network interfaces, which many libraries do, and resolving localhost."""

import socket

if socket.if_nameindex() != [(1, "lo")]:
    print(f"interfaces: {socket.if_nameindex()}")
if socket.getaddrinfo("localhost", 80, type=socket.SOCK_STREAM, family=socket.AF_INET)[0][4] != ("127.0.0.1", 80):
    print("localhost does not resolve to 127.0.0.1")
