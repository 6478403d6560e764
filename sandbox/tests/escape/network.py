"""No external network is reachable by TCP, UDP or DNS over IPv4 or IPv6; loopback is the only interface."""

import errno
import os
import socket

if [name for _, name in socket.if_nameindex()] != ["lo"]:
    print(f"interfaces: {socket.if_nameindex()}")

for family, address in [(socket.AF_INET, "192.0.2.1"), (socket.AF_INET, "169.254.169.254"), (socket.AF_INET, "10.0.0.1"), (socket.AF_INET6, "2001:db8::1")]:
    for kind in [socket.SOCK_STREAM, socket.SOCK_DGRAM]:
        with socket.socket(family, kind) as out:
            out.settimeout(2)
            try:
                out.connect((address, 53))
                print(f"reached {address}")
            except OSError as error:
                if error.errno not in (errno.ENETUNREACH, errno.EADDRNOTAVAIL, errno.EACCES):
                    print(f"{address}: {error}")

for name in ["example.invalid", "index.example.invalid"]:
    try:
        print(f"resolved {name}: {socket.getaddrinfo(name, 80)}")
    except socket.gaierror:
        pass

with open("/proc/net/route") as routes:
    if len(routes.readlines()) > 1:
        print("the routing table is not empty")
with open("/proc/net/tcp") as connections:
    if len(connections.readlines()) > 1:
        print("TCP connections of the host are visible")
with open("/proc/net/unix") as sockets:
    if len(sockets.readlines()) > 1:
        print("unix sockets of the host are visible")
