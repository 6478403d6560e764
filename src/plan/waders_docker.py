"""A Docker Engine API on a socket in the sandbox of a test, for tests that start their services as containers.

It has the requests that the Docker SDK for Python, testcontainers and the command `docker` need. A container is a
pinned service: an image name stands for the service that lists it. Everything listens on the one loopback interface of
the sandbox. Images are neither pulled nor built. Arguments: the file with the services (JSON), and the path of the
socket.
"""

import fnmatch
import hashlib
import http.server
import io
import json
import os
import re
import socket
import socketserver
import subprocess
import sys
import tarfile
import threading
import time
import urllib.parse

import _signal as signal
import waders_services

VERSION = "1.43"
INIT_SCRIPTS = "/docker-entrypoint-initdb.d"
FIRST_FREE_PORT = 20000
NOBODY = (
    "no pinned service stands for the image `{}`: list it in `images` of a table `[services.NAME]` of `waders.toml`, "
    "and NAME in `offers` of `[services.docker]`"
)


class Refused(Exception):
    """A request that cannot be carried out: the HTTP status and the message."""

    def __init__(self, status, message):
        super().__init__(message)
        self.status = status


def short_name(image):
    """The name of an image without its registry and without a digest: mirrors have the images of others."""
    image = image.partition("@")[0]
    host, slash, path = image.partition("/")
    if slash and (host == "localhost" or "." in host or ":" in host):
        image = path
    return image.removeprefix("library/")


def matches(pattern, image):
    """A pattern without a tag matches all tags."""
    name, colon, tag = image.rpartition(":")
    if not colon or "/" in tag:
        name = image
    has_tag = ":" in pattern.rpartition("/")[2]
    return fnmatch.fnmatchcase(image if has_tag else name, pattern)


class Engine:
    """All containers and networks."""

    def __init__(self, services, place):
        self.services = services
        self.place = place
        self.containers = {}
        self.networks = {"bridge": {"Name": "bridge", "Id": new_id("network bridge"), "Driver": "bridge", "Labels": {}}}
        self.execs = {}
        self.lock = threading.RLock()

    def service_of(self, image):
        for service in self.services:
            if any(matches(pattern, short_name(image)) for pattern in service["images"]):
                return service
        raise Refused(404, NOBODY.format(image))

    def container(self, name):
        for container in self.containers.values():
            if name in (container.id, container.name) or (len(name) >= 4 and container.id.startswith(name)):
                return container
        raise Refused(404, "No such container: {}".format(name))

    def create(self, request, name):
        with self.lock:
            service = self.service_of(request["Image"])
            if name and any(other.name == name for other in self.containers.values()):
                raise Refused(409, 'Conflict. The container name "/{}" is already in use'.format(name))
            number = len(self.execs) + len(self.containers) + 1
            while new_id("container {}".format(number)) in self.containers:
                number += 1
            container = Container(self, service, request, name, number)
            self.containers[container.id] = container
            return container

    def free_port(self, wanted):
        """The wanted port if nothing listens there, or else another one."""
        used = {container.port for container in self.containers.values()}
        for port in [wanted, *range(FIRST_FREE_PORT, 65000, 10)]:
            if port in used:
                continue
            with socket.socket() as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                try:
                    probe.bind(("127.0.0.1", port))
                    return port
                except OSError:
                    continue
        raise Refused(500, "no port is free")

    def network(self, name):
        for network in self.networks.values():
            if name in (network["Name"], network["Id"]):
                return network
        raise Refused(404, "network {} not found".format(name))


def new_id(text):
    """Identifiers do not differ from run to run."""
    return hashlib.sha256(text.encode()).hexdigest()


def now():
    return time.strftime("%Y-%m-%dT%H:%M:%S.000000000Z", time.gmtime())


class Container:
    """A service that was started through the API."""

    def __init__(self, engine, service, request, name, number):
        self.engine = engine
        self.service = service
        self.request = request
        self.id = new_id("container {}".format(number))
        self.name = name or "{}_{}".format(service["name"], number)
        self.created = now()
        self.started = self.finished = "0001-01-01T00:00:00Z"
        self.dir = "{}/{}".format(engine.place, self.id[:12])
        self.process = None
        self.paused = False
        self.was_stopped = False
        self.env = dict(entry.partition("=")[::2] for entry in request.get("Env") or [])
        self.port = self.choose_port()

    def choose_port(self):
        own = self.service["port"]
        if own is None:
            return None
        bindings = (self.request.get("HostConfig") or {}).get("PortBindings") or {}
        for binding in bindings.get("{}/tcp".format(own)) or []:
            if binding.get("HostPort") and binding["HostPort"] != "0":
                return int(binding["HostPort"])
        return self.engine.free_port(own)

    def filled(self, text):
        text = text.replace("{dir}", self.dir).replace("{data}", self.dir + "/data")
        if self.port is None:
            return text
        return text.replace("{port}", str(self.port)).replace("{port2}", str(self.port + 1))

    def start(self):
        if self.is_running():
            return
        service = self.service
        argv = [self.filled(word) for word in service["start"]]
        if service["arguments"] == "append":
            command = list(self.request.get("Cmd") or [])
            argv += command[1:] if command and os.path.basename(command[0]) == argv[0] else command
        ready = json.loads(self.filled(json.dumps(service["ready"])))
        data = {"from": service["data"], "to": self.dir + "/data"} if service["data"] else None
        self.process = waders_services.Service(
            {
                "name": service["name"],
                "dir": self.dir,
                "data": data,
                "start": argv,
                "env": self.own_env(),
                "ready": {**ready, "port": self.port} if ready["kind"] == "port" else ready,
                "timeout": service["timeout"],
            }
        )
        is_first = not os.path.exists(self.dir + "/log")
        self.started, self.was_stopped = now(), False
        try:
            self.process.start()
            while not self.process.is_ready():
                self.process.wait_for_news()
            if is_first:
                self.set_up()
        except waders_services.NotReady as error:
            self.note("the service `{}` cannot be used: {}".format(service["name"], error))
            self.signal(signal.SIGKILL)

    def own_env(self):
        env = {name: self.filled(value) for name, value in self.service["env"].items()}
        variables = {name: self.filled(value) for name, value in self.service["variables"].items()}
        return {**env, **variables, **self.env, "PATH": env["PATH"]}

    def set_up(self):
        """Does what the entry point of the image does with its variables and scripts."""
        for words in self.service["setup"]:
            self.run_setup([self.filled(word) for word in words], None)
        for script in self.init_scripts():
            if script.endswith(".sh"):
                self.run_setup(["sh", script], None)
            elif script.endswith(".sql") and self.service["sql"]:
                with open(script, "rb") as text:
                    self.run_setup([self.filled(word) for word in self.service["sql"]], text)

    def run_setup(self, words, stdin):
        done = subprocess.run(
            words,
            env=self.own_env(),
            cwd=self.dir,
            stdin=stdin or subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        if done.returncode != 0:
            self.note(done.stdout.decode(errors="replace").rstrip())
            message = "`{}` {}".format(" ".join(words)[:200], waders_services.describe(done.returncode))
            raise waders_services.NotReady(message)

    def init_scripts(self):
        places = [self.dir + "/files" + INIT_SCRIPTS]
        found = []
        for binding in (self.request.get("HostConfig") or {}).get("Binds") or []:
            source, target = binding.split(":")[:2]
            if target.rstrip("/") == INIT_SCRIPTS:
                places.append(source)
            elif target.startswith(INIT_SCRIPTS + "/"):
                found.append(source)
        for mount in (self.request.get("HostConfig") or {}).get("Mounts") or []:
            if (mount.get("Target") or "").rstrip("/") == INIT_SCRIPTS:
                places.append(mount["Source"])
        for place in filter(os.path.isdir, places):
            found += [place + "/" + name for name in os.listdir(place)]
        return sorted(found, key=os.path.basename)

    def note(self, text):
        os.makedirs(self.dir, exist_ok=True)
        with open(self.dir + "/log", "ab") as log:
            log.write(("waders: " + text + "\n").encode())

    def is_running(self):
        if self.process is None or self.process.pid is None:
            return False
        with self.engine.lock:
            self.process.reap()
        if self.process.exit is not None and self.finished < self.started:
            self.finished = now()
        return self.process.exit is None

    def signal(self, number):
        if self.is_running():
            for send in (os.killpg, os.kill):
                try:
                    send(self.process.pid, number)
                except ProcessLookupError:
                    pass

    def stop(self, seconds):
        self.was_stopped = True
        self.signal(signal.SIGCONT)
        self.signal(getattr(signal, "SIG" + self.service["stop"]))
        if not self.wait(seconds):
            self.signal(signal.SIGKILL)
            self.wait(10)

    def wait(self, seconds=None):
        deadline = None if seconds is None else time.monotonic() + seconds
        while self.is_running():
            if deadline is not None and time.monotonic() > deadline:
                return False
            time.sleep(0.002)
        return True

    def pause(self, is_paused):
        self.signal(signal.SIGSTOP if is_paused else signal.SIGCONT)
        self.paused = is_paused

    def exit_code(self):
        code = self.process.exit if self.process and self.process.exit is not None else 0
        return code if code >= 0 else 128 - code

    def status(self):
        if self.is_running():
            return "paused" if self.paused else "running"
        return "created" if self.process is None else "exited"

    def log(self):
        try:
            with open(self.dir + "/log", "rb") as log:
                return log.read()
        except OSError:
            return b""

    def ports(self):
        """Only the port of the service leads anywhere."""
        ports = {name: None for name in self.request.get("ExposedPorts") or {}}
        if self.port is not None:
            own = [{"HostIp": "0.0.0.0", "HostPort": str(self.port)}]
            ports["{}/tcp".format(self.service["port"])] = own
        return ports

    def inspect(self):
        status = self.status()
        request = self.request
        place = {"Gateway": "127.0.0.1", "IPAddress": "127.0.0.1", "NetworkID": self.engine.networks["bridge"]["Id"]}
        state = {
            "Status": status,
            "Running": status in ("running", "paused"),
            "Paused": status == "paused",
            "Restarting": False,
            "OOMKilled": False,
            "Dead": False,
            "Pid": self.process.pid if status in ("running", "paused") else 0,
            "ExitCode": self.exit_code(),
            "Error": "",
            "StartedAt": self.started,
            "FinishedAt": self.finished,
        }
        if request.get("Healthcheck"):
            state["Health"] = {
                "Status": "healthy" if status == "running" else "unhealthy",
                "FailingStreak": 0,
                "Log": [],
            }
        return {
            "Id": self.id,
            "Name": "/" + self.name,
            "Image": "sha256:" + new_id("image " + self.service["name"]),
            "Created": self.created,
            "Path": self.service["start"][0],
            "Args": [],
            "State": state,
            "Config": {**request, "Labels": request.get("Labels") or {}, "Env": request.get("Env") or []},
            "HostConfig": request.get("HostConfig") or {},
            "Mounts": [],
            "NetworkSettings": {**place, "Ports": self.ports(), "Networks": {"bridge": place}},
        }

    def summary(self):
        ports = [
            {
                "IP": entry["HostIp"],
                "PublicPort": int(entry["HostPort"]),
                "PrivatePort": int(name.split("/")[0]),
                "Type": "tcp",
            }
            for name, entries in self.ports().items()
            for entry in entries or []
        ]
        status = self.status()
        return {
            "Id": self.id,
            "Names": ["/" + self.name],
            "Image": self.request["Image"],
            "ImageID": "sha256:" + new_id("image " + self.service["name"]),
            "Command": self.service["start"][0],
            "Created": 0,
            "Ports": ports,
            "Labels": self.request.get("Labels") or {},
            "State": status,
            "Status": status.capitalize(),
            "Mounts": [],
            "NetworkSettings": {"Networks": {}},
        }


class Handler(http.server.BaseHTTPRequestHandler):
    """One connection of a client."""

    protocol_version = "HTTP/1.1"
    engine = None

    def address_string(self):
        return "local"

    def log_message(self, format, *arguments):
        print(format % arguments, file=sys.stderr, flush=True)

    def answer(self):
        from waders_docker_requests import ROUTES

        url = urllib.parse.urlsplit(self.path)
        self.path_only = re.sub(r"^/v\d+\.\d+", "", url.path)
        self.query = dict(urllib.parse.parse_qsl(url.query))
        self.body = self.read_body()
        try:
            for method, pattern, function in ROUTES:
                found = re.fullmatch(pattern, self.path_only)
                if found and method == self.command:
                    function(self, *map(urllib.parse.unquote, found.groups()))
                    return
            raise Refused(404, "this request is not supported in a sandbox: {} {}".format(self.command, self.path_only))
        except Refused as error:
            self.send(error.status, {"message": str(error)})
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True
        except Exception as error:
            self.send(500, {"message": "{}: {}".format(type(error).__name__, error)})
            raise

    do_GET = do_POST = do_PUT = do_DELETE = do_HEAD = answer

    def read_body(self):
        if "chunked" in self.headers.get("Transfer-Encoding", ""):
            parts = []
            while True:
                size = int(self.rfile.readline().split(b";")[0], 16)
                parts.append(self.rfile.read(size))
                self.rfile.readline()
                if size == 0:
                    return b"".join(parts)
        return self.rfile.read(int(self.headers.get("Content-Length") or 0))

    def json(self):
        return json.loads(self.body or b"{}") or {}

    def flag(self, name):
        return self.query.get(name, "").lower() in ("1", "true")

    def send(self, status, value=None, kind="application/json", raw=None):
        content = raw if raw is not None else (b"" if value is None else json.dumps(value).encode())
        self.send_response(status)
        self.send_header("Api-Version", VERSION)
        self.send_header("Server", "Docker/24.0 (linux)")
        if status != 204:
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def begin_stream(self):
        """The headers of a response that ends with the connection."""
        self.send_response(200)
        self.send_header("Content-Type", "application/vnd.docker.multiplexed-stream")
        self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.flush()
        self.close_connection = True


class Server(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    """The socket of the engine."""

    daemon_threads = True
    request_queue_size = 64


def unpack(content, target):
    """Unpacks an archive of the client. Only regular files matter."""
    with tarfile.open(fileobj=io.BytesIO(content)) as archive:
        for member in archive:
            name = os.path.normpath("/" + member.name)
            if member.isfile():
                os.makedirs(os.path.dirname(target + name), exist_ok=True)
                with open(target + name, "wb") as file:
                    file.write(archive.extractfile(member).read())


def write_command(place):
    """A command `docker` for tests that call it."""
    os.makedirs(place, exist_ok=True)
    start = "import sys; sys.path.append('/services/program'); import waders_docker_command"
    words = [*waders_services.own_interpreter(), "-c", start]
    quoted = ["'{}'".format(word.replace("'", "'\\''")) for word in words]
    with open(place + "/docker", "w") as script:
        script.write('#!/bin/sh\nexec {} "$@"\n'.format(" ".join(quoted)))
    os.chmod(place + "/docker", 0o755)


def main(arguments):
    with open(arguments[0]) as file:
        services = json.load(file)
    path = arguments[1]
    write_command(os.path.dirname(path) + "/bin")
    Handler.engine = Engine(services, os.path.dirname(path))
    server = Server(path, Handler)
    notify = os.environ.pop("NOTIFY_SOCKET", None)
    if notify:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notices:
            notices.sendto(b"READY=1", notify)
    server.serve_forever()
