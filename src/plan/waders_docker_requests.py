"""The requests of the Docker Engine API that `waders_docker` answers, as one table."""

import os
import subprocess
import time

import waders_docker
from waders_docker import Refused, new_id


def ping(handler):
    handler.send(200, kind="text/plain", raw=b"OK")


def version(handler):
    names = {
        "Version": "24.0.0",
        "ApiVersion": waders_docker.VERSION,
        "MinAPIVersion": "1.12",
        "Os": "linux",
        "Arch": "amd64",
    }
    handler.send(200, {**names, "Platform": {"Name": "waders"}, "Components": []})


def info(handler):
    count = len(handler.engine.containers)
    names = {
        "ID": "waders",
        "Name": "waders",
        "OperatingSystem": "waders",
        "OSType": "linux",
        "ServerVersion": "24.0.0",
    }
    handler.send(200, {**names, "Architecture": "x86_64", "Containers": count, "NCPU": 1, "MemTotal": 0, "Labels": []})


def pull(handler):
    handler.engine.service_of(handler.query.get("fromImage", ""))
    handler.send(200, {"status": "the packages of the image are pinned"})


def image(handler, name):
    service = handler.engine.service_of(name)
    digest = "sha256:" + new_id("image " + service["name"])
    handler.send(
        200, {"Id": digest, "RepoTags": [name], "RepoDigests": [], "Os": "linux", "Architecture": "amd64", "Config": {}}
    )


def images(handler):
    handler.send(200, [])


def remove_image(handler, name):
    handler.engine.service_of(name)
    handler.send(200, [])


def create(handler):
    request = handler.json()
    container = handler.engine.create(request, handler.query.get("name"))
    names = (request["Image"], container.service["name"])
    handler.send(201, {"Id": container.id, "Warnings": ["the image `{}` is the pinned service `{}`".format(*names)]})


def containers(handler):
    shown = handler.engine.containers.values()
    if not handler.flag("all"):
        shown = [container for container in shown if container.is_running()]
    handler.send(200, [container.summary() for container in filter(selected(handler), shown)])


def selected(handler):
    """The filters by name, id and label, which clients use to find their own containers."""
    import json

    filters = json.loads(handler.query.get("filters") or "{}")
    filters = {name: list(values) for name, values in filters.items()}

    def is_selected(container):
        labels = container.request.get("Labels") or {}
        wanted = [entry.partition("=") for entry in filters.get("label", [])]
        return (
            all(name in labels and (not equals or labels[name] == value) for name, equals, value in wanted)
            and any(value.lstrip("/") in container.name for value in filters.get("name", [container.name]))
            and any(container.id.startswith(value) for value in filters.get("id", [container.id]))
            and any(container.status() == value for value in filters.get("status", [container.status()]))
        )

    return is_selected


def inspect(handler, name):
    handler.send(200, handler.engine.container(name).inspect())


def start(handler, name):
    handler.engine.container(name).start()
    handler.send(204)


def stop(handler, name):
    handler.engine.container(name).stop(float(handler.query.get("t", 10)))
    handler.send(204)


def restart(handler, name):
    container = handler.engine.container(name)
    container.stop(float(handler.query.get("t", 10)))
    container.start()
    handler.send(204)


def kill(handler, name):
    container = handler.engine.container(name)
    if not container.is_running():
        raise Refused(409, "Container {} is not running".format(name))
    number = handler.query.get("signal", "KILL").upper()
    container.signal(
        int(number) if number.isdigit() else getattr(waders_docker.signal, "SIG" + number.replace("SIG", "", 1))
    )
    if number in ("KILL", "SIGKILL", "9"):
        container.wait(10)
    handler.send(204)


def pause(handler, name):
    handler.engine.container(name).pause(True)
    handler.send(204)


def unpause(handler, name):
    handler.engine.container(name).pause(False)
    handler.send(204)


def wait(handler, name):
    container = handler.engine.container(name)
    container.wait()
    handler.send(200, {"StatusCode": container.exit_code()})


def remove(handler, name):
    container = handler.engine.container(name)
    if container.is_running():
        if not handler.flag("force"):
            raise Refused(409, "You cannot remove a running container {}".format(container.id))
        container.signal(waders_docker.signal.SIGKILL)
        container.wait(10)
    del handler.engine.containers[container.id]
    handler.send(204)


def frame(stream, content):
    return bytes([stream, 0, 0, 0]) + len(content).to_bytes(4, "big") + content if content else b""


def logs(handler, name):
    """Standard output and standard error are one log, which is sent as the stream that was asked for."""
    container = handler.engine.container(name)
    stream = 1 if handler.flag("stdout") else 2
    content = container.log()
    if handler.query.get("tail", "all").isdigit():
        content = b"".join(content.splitlines(keepends=True)[-int(handler.query["tail"]) :])
    if not handler.flag("follow"):
        handler.send(200, kind="application/vnd.docker.multiplexed-stream", raw=frame(stream, content))
        return
    handler.begin_stream()
    sent = len(container.log())
    handler.wfile.write(frame(stream, content))
    while True:
        is_running = container.is_running()
        new = container.log()[sent:]
        sent += len(new)
        handler.wfile.write(frame(stream, new))
        handler.wfile.flush()
        if not is_running:
            return
        time.sleep(0.02)


def put_archive(handler, name):
    container = handler.engine.container(name)
    waders_docker.unpack(
        handler.body, container.dir + "/files" + os.path.normpath("/" + handler.query.get("path", "/"))
    )
    handler.send(200)


def create_exec(handler, name):
    container = handler.engine.container(name)
    if not container.is_running():
        raise Refused(409, "Container {} is not running".format(container.id))
    with handler.engine.lock:
        number = new_id("exec {}".format(len(handler.engine.execs)))
        handler.engine.execs[number] = {"container": container, "request": handler.json(), "exit": None}
    handler.send(201, {"Id": number})


def start_exec(handler, number):
    run = handler.engine.execs.get(number)
    if run is None:
        raise Refused(404, "No such exec instance: {}".format(number))
    container, request = run["container"], run["request"]
    detached = handler.json().get("Detach")
    env = {**container.own_env(), **dict(entry.partition("=")[::2] for entry in request.get("Env") or [])}
    if detached:
        handler.send(200)
    else:
        # Clients read the headers with a buffer and what follows without it, so both must not arrive together.
        handler.begin_stream()
        time.sleep(0.005)
    try:
        words = request["Cmd"] if isinstance(request["Cmd"], list) else ["sh", "-c", request["Cmd"]]
        done = subprocess.run(words, env=env, cwd=container.dir, stdin=subprocess.DEVNULL, capture_output=True)
        run["exit"], out, err = done.returncode, done.stdout, done.stderr
    except OSError as error:
        run["exit"], out, err = 127, b"", "{}: {}\n".format(words[0], error.strerror).encode()
    if not detached:
        is_terminal = request.get("Tty")
        handler.wfile.write(out + err if is_terminal else frame(1, out) + frame(2, err))


def inspect_exec(handler, number):
    run = handler.engine.execs.get(number)
    if run is None:
        raise Refused(404, "No such exec instance: {}".format(number))
    is_running = run["exit"] is None
    handler.send(
        200, {"ID": number, "Running": is_running, "ExitCode": run["exit"], "ContainerID": run["container"].id}
    )


def describe_network(network):
    return {**network, "Scope": "local", "IPAM": {"Config": [{"Gateway": "127.0.0.1"}]}, "Containers": {}}


def networks(handler):
    handler.send(200, [describe_network(network) for network in handler.engine.networks.values()])


def network(handler, name):
    handler.send(200, describe_network(handler.engine.network(name)))


def create_network(handler):
    request = handler.json()
    name = request["Name"]
    made = {"Name": name, "Id": new_id("network " + name), "Driver": "bridge", "Labels": request.get("Labels") or {}}
    handler.engine.networks[name] = made
    handler.send(201, {"Id": made["Id"], "Warning": "all containers share the loopback interface"})


def remove_network(handler, name):
    del handler.engine.networks[handler.engine.network(name)["Name"]]
    handler.send(204)


def nothing(handler, *names):
    handler.send(200, {})


def volume(handler, *names):
    name = names[0] if names else handler.json().get("Name") or "volume"
    handler.send(
        201 if handler.command == "POST" else 200, {"Name": name, "Driver": "local", "Mountpoint": "/tmp", "Labels": {}}
    )


def volumes(handler):
    handler.send(200, {"Volumes": [], "Warnings": []})


def removed(handler, *names):
    handler.send(204)


ONE = "([^/]+)"
ROUTES = [
    ("GET", "/_ping", ping),
    ("HEAD", "/_ping", ping),
    ("GET", "/version", version),
    ("GET", "/info", info),
    ("POST", "/images/create", pull),
    ("GET", "/images/json", images),
    ("GET", "/images/(.+)/json", image),
    ("DELETE", "/images/(.+)", remove_image),
    ("POST", "/containers/create", create),
    ("GET", "/containers/json", containers),
    ("GET", "/containers/" + ONE + "/json", inspect),
    ("GET", "/containers/" + ONE + "/logs", logs),
    ("POST", "/containers/" + ONE + "/start", start),
    ("POST", "/containers/" + ONE + "/stop", stop),
    ("POST", "/containers/" + ONE + "/restart", restart),
    ("POST", "/containers/" + ONE + "/kill", kill),
    ("POST", "/containers/" + ONE + "/pause", pause),
    ("POST", "/containers/" + ONE + "/unpause", unpause),
    ("POST", "/containers/" + ONE + "/wait", wait),
    ("POST", "/containers/" + ONE + "/exec", create_exec),
    ("PUT", "/containers/" + ONE + "/archive", put_archive),
    ("DELETE", "/containers/" + ONE, remove),
    ("POST", "/exec/" + ONE + "/start", start_exec),
    ("GET", "/exec/" + ONE + "/json", inspect_exec),
    ("POST", "/exec/" + ONE + "/resize", nothing),
    ("GET", "/networks", networks),
    ("POST", "/networks/create", create_network),
    ("POST", "/networks/" + ONE + "/connect", nothing),
    ("POST", "/networks/" + ONE + "/disconnect", nothing),
    ("GET", "/networks/" + ONE, network),
    ("DELETE", "/networks/" + ONE, remove_network),
    ("POST", "/volumes/create", volume),
    ("GET", "/volumes", volumes),
    ("GET", "/volumes/" + ONE, volume),
    ("DELETE", "/volumes/" + ONE, removed),
    ("POST", "/build/prune", nothing),
]
