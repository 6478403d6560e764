"""Unix sockets by path and by abstract name, and passing descriptors over them."""

import array
import os
import socket
import tempfile

for address in [os.path.join(tempfile.mkdtemp(), "socket"), "\0abstract", "/src/socket", "/dev/shm/socket"]:
    with socket.socket(socket.AF_UNIX) as server, socket.socket(socket.AF_UNIX) as client:
        server.bind(address)
        server.listen()
        client.connect(address)
        connection, _ = server.accept()
        reader, writer = os.pipe()
        socket.send_fds(client, [b"x"], [writer])
        _, fds, _, _ = socket.recv_fds(connection, 1, 1)
        os.write(fds[0], b"passed")
        if os.read(reader, 10) != b"passed":
            print(f"{address!r}: no descriptor passed")
        connection.close()
