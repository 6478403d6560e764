"""Certificates of an authority, and tokens, made for one run."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import shutil
import time
from pathlib import Path

from waders_remote.processes import Skipped, run

SECRET = "the secret of a test"


class Certificates:
    """An authority `ca` with the certificates `server` and `client`, and a foreign authority `other`."""

    def __init__(self, directory: Path) -> None:
        if shutil.which("openssl") is None:
            raise Skipped("openssl is not installed")
        self.directory = directory
        directory.mkdir(parents=True, exist_ok=True)
        for authority in ("ca", "other"):
            self._openssl(f"req -x509 -nodes -newkey rsa:2048 -days 2 -subj /CN={authority}", authority, "pem")
        (directory / "names").write_text("subjectAltName=IP:127.0.0.1,DNS:localhost\nbasicConstraints=CA:FALSE\n")
        for name in ("server", "client"):
            self._openssl(f"req -nodes -newkey rsa:2048 -subj /CN={name}", name, "csr")
            authority = f"-CA {self.path('ca.pem')} -CAkey {self.path('ca.key')} -CAcreateserial"
            extensions = f"-extfile {self.path('names')}"
            request = f"x509 -req -in {self.path(name + '.csr')} {authority} -days 2 {extensions}"
            run(["openssl", *request.split(), "-out", self.path(f"{name}.pem")])
        self.path("secret").write_text(SECRET)
        # The users of the machines read them.
        for file in directory.iterdir():
            file.chmod(0o644)
        directory.chmod(0o755)

    def _openssl(self, arguments: str, name: str, suffix: str) -> None:
        run(["openssl", *arguments.split(), "-keyout", self.path(f"{name}.key"), "-out", self.path(f"{name}.{suffix}")])

    def path(self, name: str) -> Path:
        return self.directory / name


def token(valid_seconds: int, secret: str = SECRET) -> str:
    """A JSON web token that expires after some seconds, signed with HS256."""

    def part(value: bytes) -> str:
        return base64.urlsafe_b64encode(value).rstrip(b"=").decode()

    head = part(json.dumps({"alg": "HS256", "typ": "JWT"}).encode())
    body = part(json.dumps({"sub": "test", "exp": int(time.time()) + valid_seconds}).encode())
    signature = hmac.new(secret.encode(), f"{head}.{body}".encode(), hashlib.sha256).digest()
    return f"{head}.{body}.{part(signature)}"
