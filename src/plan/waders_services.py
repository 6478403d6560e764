"""Runs a command with services: starts them, waits until they are ready, runs the command, and ends with its exit code.

Everything happens inside the sandbox of a step. The services are killed with the sandbox, so nothing has to be stopped,
and nothing of them is left. Arguments: the file with the description of the services (JSON), then the command.

Each process of this program costs every test its start, so only built-in modules are imported.
"""

import os
import select
import sys
import time

import _signal as signal
import _socket as socket

NOT_STARTED = 125  # The exit code if a service does not become ready.
INTERRUPTED = 130
SHOWN_LINES = 50  # The number of lines of a service's log that are shown.
PAUSE = 0.002  # Seconds between two checks of a service that cannot report that it is ready.


class NotReady(Exception):
    """A service cannot be used. The message says why."""


class Service:
    """A service, and its process."""

    def __init__(self, description):
        self.name = description["name"]
        self.description = description
        self.dir = description["dir"]
        self.log = self.dir + "/log"
        self.exit = None
        self.pid = None
        self.notices = None
        self.checker = None
        self.log_at = 0
        self.log_end = b""

    def start(self):
        os.makedirs(self.dir, mode=0o700, exist_ok=True)
        data = self.description["data"]
        if data and not os.path.exists(data["to"]):
            copy_tree(data["from"], data["to"])
        env = dict(self.description["env"])
        if self.description["ready"]["kind"] == "notify":
            env["NOTIFY_SOCKET"] = self.dir + "/notify"
            if os.path.exists(env["NOTIFY_SOCKET"]):
                os.unlink(env["NOTIFY_SOCKET"])
            self.notices = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
            self.notices.bind(env["NOTIFY_SOCKET"])
        self.pid = spawn(self.description["start"], env, self.dir, self.log)
        self.deadline = time.monotonic() + self.description["timeout"]

    def is_ready(self):
        """Whether the service can be used now. Raises `NotReady` if it never will."""
        self.reap()
        ready = self.description["ready"]
        if getattr(self, "_is_" + ready["kind"])(ready):
            return True
        if self.exit is not None:
            raise NotReady("it {} before it was ready".format(describe(self.exit)))
        if time.monotonic() > self.deadline:
            raise NotReady("it was not ready after {} seconds".format(self.description["timeout"]))
        return False

    def reap(self):
        if self.pid and self.exit is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.exit = os.waitstatus_to_exitcode(status)

    def _is_notify(self, ready):
        while select.select([self.notices], [], [], 0)[0]:
            if b"READY=1" in self.notices.recv(4096).split(b"\n"):
                return True
        return False

    def _is_port(self, ready):
        with_port = socket.socket(socket.AF_INET, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
        try:
            with_port.connect(("127.0.0.1", ready["port"]))
            return True
        except OSError:
            return False
        finally:
            with_port.close()

    def _is_log(self, ready):
        text = ready["text"].encode()
        with open(self.log, "rb") as log:
            log.seek(self.log_at)
            new = log.read()
        self.log_at += len(new)
        self.log_end = self.log_end[-len(text) :] + new
        return text in self.log_end

    def _is_command(self, ready):
        if self.checker is None:
            env = self.description["env"]
            self.checker = spawn(ready["command"], env, self.dir, os.devnull)
        pid, status = os.waitpid(self.checker, os.WNOHANG)
        if pid:
            self.checker = None
        return bool(pid) and status == 0

    def wait_for_news(self):
        """Returns as soon as something may have changed, at the latest after a short pause."""
        if self.notices:
            select.select([self.notices], [], [], 0.05)
        else:
            time.sleep(PAUSE)

    def show_log(self):
        try:
            with open(self.log, "rb") as log:
                lines = log.read().decode(errors="replace").splitlines()
        except OSError:
            lines = []
        shown = lines[-SHOWN_LINES:]
        of_all = " (the last {} of {} lines)".format(len(shown), len(lines)) if len(shown) < len(lines) else ""
        say("---- log of the service `{}`{}".format(self.name, of_all if lines else ": empty"))
        for line in shown:
            say(line)


def spawn(argv, env, cwd, log):
    """Starts a process in a session of its own, so that signals of the terminal do not reach it."""
    actions = [
        (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
        (os.POSIX_SPAWN_OPEN, 1, log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600),
        (os.POSIX_SPAWN_DUP2, 1, 2),
    ]
    if argv[0] == "{python}":
        argv = own_interpreter() + argv[1:]
    before = os.getcwd()
    os.chdir(cwd)
    try:
        return os.posix_spawn(
            find_program(argv[0], env), argv, env, file_actions=actions, setsid=True, setsigdef=python_signals()
        )
    except OSError as error:
        raise NotReady("`{}` cannot be executed: {}".format(argv[0], error.strerror)) from None
    finally:
        os.chdir(before)


def own_interpreter():
    """The words that run the interpreter of this program, which may have a loader before it."""
    with open("/proc/self/cmdline", "rb") as file:
        words = file.read().decode().split("\0")
    return words[: words.index("-I")] + ["-I", "-S", "-B"]


def find_program(name, env):
    if "/" in name:
        return name
    for place in env.get("PATH", "").split(":"):
        if os.access(place + "/" + name, os.X_OK):
            return place + "/" + name
    raise NotReady("there is no program `{}` in its packages".format(name))


def python_signals():
    """The signals that Python ignores, which other programs expect not to be ignored."""
    return [signal.SIGPIPE, signal.SIGXFSZ]


def copy_tree(source, target):
    """Copies a directory that the services may change. Only the owner can read it, as databases require."""
    os.mkdir(target, 0o700)
    for entry in os.scandir(source):
        to = target + "/" + entry.name
        if entry.is_symlink():
            os.symlink(os.readlink(entry.path), to)
        elif entry.is_dir():
            copy_tree(entry.path, to)
        else:
            copy_file(entry.path, to)


def copy_file(source, target):
    read_from = os.open(source, os.O_RDONLY | os.O_CLOEXEC)
    status = os.fstat(read_from)
    write_to = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, status.st_mode & 0o100 | 0o600)
    rest = status.st_size
    while rest:
        rest -= os.sendfile(write_to, read_from, None, rest)
    os.close(write_to)
    os.close(read_from)


def describe(exit):
    return "was killed by signal {}".format(-exit) if exit < 0 else "exited with code {}".format(exit)


def say(text):
    os.write(2, (text + "\n").encode(errors="replace"))


def start_all(services):
    """Starts all services and waits until they can be used. Returns the exit code if one of them cannot."""
    try:
        current = None
        for current in services:
            current.start()
        for current in services:
            while not current.is_ready():
                current.wait_for_news()
    except NotReady as error:
        say("the service `{}` cannot be used: {}".format(current.name, error))
        current.show_log()
        return NOT_STARTED
    except KeyboardInterrupt:
        say("interrupted while the service `{}` was starting".format(current.name))
        current.show_log()
        return INTERRUPTED
    return None


def run_command(argv):
    """Runs the command in the foreground. Returns its exit code, which is negative for a signal."""
    has_terminal = os.isatty(0)
    child = None

    def forward(number, frame):
        if child is not None:
            os.kill(child, number)

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGQUIT, signal.SIGHUP):
        signal.signal(number, forward)
    try:
        child = os.posix_spawn(argv[0], argv, os.environ, setpgroup=0, setsigdef=python_signals())
    except OSError as error:
        say("`{}` cannot be executed: {}".format(argv[0], error.strerror))
        return 127
    if has_terminal:
        # The command gets the signals of the terminal, and this process does not.
        signal.signal(signal.SIGTTOU, signal.SIG_IGN)
        os.tcsetpgrp(0, child)
        os.kill(child, signal.SIGCONT)
    _, status = os.waitpid(child, 0)
    if has_terminal:
        os.tcsetpgrp(0, os.getpgrp())
    return os.waitstatus_to_exitcode(status)


def stop_all(services, number):
    """Lets services write their data. Returns 0, or another exit code if one of them failed."""
    for service in services:
        service.reap()
        if service.exit is None:
            os.kill(service.pid, number)
            _, status = os.waitpid(service.pid, 0)
            code = os.waitstatus_to_exitcode(status)
            if code in (0, -number):
                service.pid = None
                continue
            service.exit = code
        return NOT_STARTED
    return 0


def report(services, exit, logs_at):
    """Shows what services wrote if the command failed, and keeps their logs if that is asked for."""
    for service in services:
        service.reap()
        if service.exit is not None:
            say("the service `{}` {} while the command ran".format(service.name, describe(service.exit)))
        if exit != 0:
            service.show_log()
        if logs_at:
            os.makedirs(logs_at, exist_ok=True)
            copy_file(service.log, "{}/{}.log".format(logs_at, service.name))


def end(exit):
    """Ends this process in the way in which the command ended."""
    if exit < 0:
        signal.signal(-exit, signal.SIG_DFL) if -exit not in (signal.SIGKILL, signal.SIGSTOP) else None
        os.kill(os.getpid(), -exit)
    os._exit(exit if exit >= 0 else 128 - exit)


def main(arguments):
    with open(arguments[0], encoding="utf-8") as file:
        # Three words of JSON are not Python. The module for JSON takes longer to import than all of this.
        description = eval(file.read(), {"true": True, "false": False, "null": None})
    services = [Service(service) for service in description["services"]]
    exit = start_all(services)
    if exit is None:
        exit = run_command(arguments[1:])
        if exit == 0 and description["stop"]:
            exit = stop_all(services, getattr(signal, "SIG" + description["stop"]))
        report(services, exit, description["logs_at"])
    end(exit)


if __name__ == "__main__":
    main(sys.argv[1:])
