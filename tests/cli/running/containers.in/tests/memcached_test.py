import base64
import json
import os
import socket
import urllib.request


def test_memcached():
    with socket.create_connection((os.environ["MEMCACHED_HOST"], int(os.environ["MEMCACHED_PORT"]))) as cache:
        cache.sendall(b"set a 0 0 1\r\nx\r\n")
        assert cache.recv(100) == b"STORED\r\n"


def test_etcd():
    body = json.dumps({"key": base64.b64encode(b"a").decode(), "value": base64.b64encode(b"1").decode()})
    urllib.request.urlopen(os.environ["ETCD_ENDPOINTS"] + "/v3/kv/put", body.encode())
