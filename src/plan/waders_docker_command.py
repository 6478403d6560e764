"""The command `docker` in the sandbox of a test: the subcommands that test suites call, as requests to `waders_docker`.

Arguments: those of `docker`.
"""

import http.client
import json
import os
import socket
import sys
import urllib.parse

# Flags of `run` and `create` with a value that means nothing for a pinned service.
IGNORED_WITH_VALUE = (
    "--add-host --cap-add --cpus --dns --entrypoint --hostname -h --ipc --link --log-driver --memory -m --network --net"
    " --platform --pull --restart --security-opt --shm-size --stop-timeout --tmpfs --ulimit -u --user -w --workdir"
).split()
IGNORED = "-d --detach -i --interactive -t --tty -it -ti -dit --init --privileged --rm --read-only -q --quiet".split()
HEALTH = "--health-cmd --health-interval --health-retries --health-start-period --health-timeout".split()


class Connection(http.client.HTTPConnection):
    """A connection to the socket in `DOCKER_HOST`."""

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(os.environ["DOCKER_HOST"].partition("://")[2])


def fail(message, code=1):
    print("docker: " + message, file=sys.stderr)
    sys.exit(code)


def ask(method, path, body=None, raw=False, fail_with=1):
    connection = Connection("localhost")
    content = None if body is None else json.dumps(body)
    connection.request(method, path, content, {"Content-Type": "application/json"})
    response = connection.getresponse()
    content = response.read()
    if response.status >= 400:
        fail(json.loads(content)["message"], fail_with)
    return content if raw else json.loads(content or b"null")


def quoted(name):
    return urllib.parse.quote(name, safe="")


def parse_run(words):
    """The request for a container and its name."""
    request = {"Env": [], "Labels": {}, "ExposedPorts": {}, "HostConfig": {"PortBindings": {}, "Binds": []}}
    name = ""
    words = list(words)
    while words and words[0].startswith("-"):
        flag, equals, value = words.pop(0).partition("=")
        if flag in IGNORED:
            continue
        if not equals:
            value = words.pop(0) if words else ""
        if flag in ("-p", "--publish"):
            publish(request, value)
        elif flag in ("-e", "--env"):
            request["Env"].append(value if "=" in value else "{}={}".format(value, os.environ.get(value, "")))
        elif flag == "--name":
            name = value
        elif flag in ("-l", "--label"):
            key, _, text = value.partition("=")
            request["Labels"][key] = text
        elif flag in ("-v", "--volume"):
            request["HostConfig"]["Binds"].append(value)
        elif flag in HEALTH:
            request["Healthcheck"] = {"Test": ["CMD-SHELL", value]}
        elif flag not in IGNORED_WITH_VALUE:
            fail("unknown flag in a sandbox: " + flag, 125)
    if not words:
        fail("`docker run` requires an image", 125)
    request["Image"], request["Cmd"] = words[0], words[1:]
    return request, name


def publish(request, value):
    host, _, port = value.rpartition(":")
    port = port if "/" in port else port + "/tcp"
    request["ExposedPorts"][port] = {}
    request["HostConfig"]["PortBindings"].setdefault(port, []).append(
        {"HostIp": "", "HostPort": host.rpartition(":")[2]}
    )


def create(words):
    request, name = parse_run(words)
    query = "?name=" + quoted(name) if name else ""
    return ask("POST", "/containers/create" + query, request, fail_with=125)["Id"]


def run(words):
    container = create(words)
    ask("POST", "/containers/{}/start".format(container), fail_with=125)
    detached = any(word in ("-d", "--detach", "-dit") for word in words)
    if not detached:
        fail("containers of a sandbox only run in the background: use `docker run -d`", 125)
    print(container)


def inspect(words):
    names = [word for word in words if not word.startswith("-")]
    print(json.dumps([ask("GET", "/containers/{}/json".format(quoted(name))) for name in names], indent=4))


def of_each(method, path, query=""):
    def command(words):
        for name in (word for word in words if not word.startswith("-") and not word.isdigit()):
            ask(method, path.format(quoted(name)) + query)
            print(name)

    return command


def remove(words):
    is_forced = any(
        word.startswith("-") and not word.startswith("--") and "f" in word or word == "--force" for word in words
    )
    of_each("DELETE", "/containers/{}", "?force=1" if is_forced else "")(words)


def port(words):
    ports = ask("GET", "/containers/{}/json".format(quoted(words[0])))["NetworkSettings"]["Ports"]
    wanted = words[1] if len(words) > 1 else None
    for name, entries in ports.items():
        for entry in entries or []:
            target = "{}:{}".format(entry["HostIp"], entry["HostPort"])
            if wanted is None:
                print("{} -> {}".format(name, target))
            elif wanted in (name, name.split("/")[0]):
                print(target)


def logs(words):
    name = [word for word in words if not word.startswith("-")][-1]
    content = ask("GET", "/containers/{}/logs?stdout=1&stderr=1".format(quoted(name)), raw=True)
    sys.stdout.buffer.write(unframed(content)[0])


def unframed(content):
    """The text of all frames of both streams."""
    streams = [b"", b""]
    while content:
        size = int.from_bytes(content[4:8], "big")
        streams[0 if content[0] == 1 else 1] += content[8 : 8 + size]
        content = content[8 + size :]
    return streams


def execute(words):
    words, env = list(words), []
    while words and words[0].startswith("-"):
        flag, _, value = words.pop(0).partition("=")
        if flag in ("-e", "--env"):
            env.append(value or words.pop(0))
        elif flag in ("-u", "--user", "-w", "--workdir"):
            value or words.pop(0)
    number = ask("POST", "/containers/{}/exec".format(quoted(words[0])), {"Cmd": words[1:], "Env": env})["Id"]
    out, err = unframed(ask("POST", "/exec/{}/start".format(number), {}, raw=True))
    sys.stdout.buffer.write(out)
    sys.stderr.buffer.write(err)
    sys.stdout.flush()
    sys.exit(ask("GET", "/exec/{}/json".format(number))["ExitCode"])


def list_containers(words):
    shown = ask("GET", "/containers/json" + ("?all=1" if "-a" in words or "--all" in words else ""))
    if "-q" in words or "--quiet" in words or "-aq" in words:
        for container in shown:
            print(container["Id"][:12])
        return
    print("CONTAINER ID   IMAGE   STATUS   NAMES")
    for container in shown:
        print("   ".join([container["Id"][:12], container["Image"], container["Status"], container["Names"][0][1:]]))


def pull(words):
    name = [word for word in words if not word.startswith("-")][0]
    ask("POST", "/images/create?fromImage=" + quoted(name))
    print(name)


def version(words):
    print("Docker version {}, the Docker Engine API of Waders".format(ask("GET", "/version")["Version"]))


COMMANDS = {
    "create": lambda words: print(create(words)),
    "exec": execute,
    "info": lambda words: print(json.dumps(ask("GET", "/info"))),
    "inspect": inspect,
    "kill": of_each("POST", "/containers/{}/kill"),
    "logs": logs,
    "pause": of_each("POST", "/containers/{}/pause"),
    "port": port,
    "ps": list_containers,
    "pull": pull,
    "restart": of_each("POST", "/containers/{}/restart"),
    "rm": remove,
    "run": run,
    "start": of_each("POST", "/containers/{}/start"),
    "stop": of_each("POST", "/containers/{}/stop"),
    "unpause": of_each("POST", "/containers/{}/unpause"),
    "version": version,
    "--version": version,
}


def main(words):
    if words[:1] == ["container"]:
        words = words[1:]
    command = COMMANDS.get(words[0]) if words else None
    if command is None:
        fail("the command of a sandbox supports {}".format(", ".join(sorted(COMMANDS))))
    command(words[1:])


main(sys.argv[1:])
