"""Denied sockets: families that no network namespace confines, raw sockets, and netlink except for NETLINK_ROUTE."""

import socket

for family, kind, protocol, name in [
    (40, socket.SOCK_STREAM, 0, "vsock"),
    (38, socket.SOCK_SEQPACKET, 0, "alg"),
    (17, socket.SOCK_RAW, 3, "packet"),
    (31, socket.SOCK_RAW, 1, "bluetooth"),
    (29, socket.SOCK_RAW, 1, "can"),
    (16, socket.SOCK_RAW, 16, "netlink generic"),
    (16, socket.SOCK_RAW, 9, "netlink audit"),
    (16, socket.SOCK_RAW, 15, "netlink uevent"),
    (16, socket.SOCK_RAW, 12, "netlink netfilter"),
    (44, socket.SOCK_RAW, 0, "xdp"),
    (21, socket.SOCK_DGRAM, 0, "rds"),
    (30, socket.SOCK_DGRAM, 0, "tipc"),
    (socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP, "raw ICMP"),
    (socket.AF_INET, socket.SOCK_RAW, 255, "raw IP"),
    (socket.AF_INET, 10, 3, "SOCK_PACKET"),
    (socket.AF_INET6, socket.SOCK_RAW, 58, "raw ICMPv6"),
    (socket.AF_INET, socket.SOCK_DGRAM, socket.IPPROTO_ICMP, "ping"),
]:
    try:
        socket.socket(family, kind, protocol).close()
        print(f"created a socket: {name}")
    except OSError:
        pass
