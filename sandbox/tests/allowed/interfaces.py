"""Listing network interfaces, which many libraries do, and resolving localhost."""

import socket

if socket.if_nameindex() != [(1, "lo")]:
    print(f"interfaces: {socket.if_nameindex()}")
if socket.getaddrinfo("localhost", 80, type=socket.SOCK_STREAM, family=socket.AF_INET)[0][4] != ("127.0.0.1", 80):
    print("localhost does not resolve to 127.0.0.1")
# Servers and clients ask for addresses that this machine can use, as asyncio does.
for family, host in [(socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1"), (0, "localhost"), (0, None)]:
    flags = socket.AI_ADDRCONFIG | (socket.AI_PASSIVE if host is None else 0)
    for *_, address in socket.getaddrinfo(host, 80, family=family, type=socket.SOCK_STREAM, flags=flags):
        with socket.socket(socket.AF_INET6 if ":" in address[0] else socket.AF_INET) as server:
            server.bind((address[0], 0))
