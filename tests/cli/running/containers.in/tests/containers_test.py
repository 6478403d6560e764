import json
import subprocess
import urllib.request

import docker
import psycopg2
import pytest
import redis
import sqlalchemy
from testcontainers.core.container import DockerContainer
from testcontainers.core.waiting_utils import wait_for_logs
from testcontainers.postgres import PostgresContainer
from testcontainers.redis import RedisContainer


def test_postgres():
    with PostgresContainer("postgres:16", username="me", password="it's", dbname="shop") as postgres:
        engine = sqlalchemy.create_engine(postgres.get_connection_url())
        with engine.begin() as connection:
            assert connection.execute(sqlalchemy.text("select current_user, current_database()")).one() == ("me", "shop")


def test_two_postgres_do_not_share_anything():
    with PostgresContainer("postgres:15") as one, PostgresContainer("postgres:15") as other:
        urls = [container.get_connection_url() for container in (one, other)]
        assert urls[0] != urls[1]
        with sqlalchemy.create_engine(urls[0]).begin() as connection:
            connection.execute(sqlalchemy.text("create table t (x int)"))
        with sqlalchemy.create_engine(urls[1]).begin() as connection:
            assert not sqlalchemy.inspect(connection).get_table_names()


def test_redis_with_password():
    with RedisContainer("redis:7-alpine", password="secret") as container:
        client = container.get_client()
        assert client.set("a", "1") and client.get("a") == b"1"
        with pytest.raises(redis.exceptions.AuthenticationError):
            redis.Redis(port=int(container.get_exposed_port(6379))).ping()


def test_etcd_by_log():
    with DockerContainer("registry.example.invalid/coreos/etcd:v3.5.4").with_exposed_ports(2379) as etcd:
        wait_for_logs(etcd, "ready to serve client requests", timeout=10)
        url = "http://{}:{}/health".format(etcd.get_container_host_ip(), etcd.get_exposed_port(2379))
        assert json.load(urllib.request.urlopen(url))["health"] == "true"


def test_unknown_image():
    with pytest.raises(docker.errors.APIError, match="no pinned service stands for the image `mysql:8`"):
        DockerContainer("mysql:8").start()


def test_sdk():
    client = docker.from_env()
    assert client.ping() and client.version()["ApiVersion"] == "1.43"
    container = client.containers.run("redis:7", detach=True, name="cache", ports={"6379/tcp": 7777})
    assert [found.name for found in client.containers.list()] == ["cache"]
    code, output = container.exec_run("redis-cli -p 7777 ping")
    assert (code, output) == (0, b"PONG\n")
    assert container.exec_run(["sh", "-c", "exit 3"]).exit_code == 3
    container.pause()
    container.reload()
    assert container.status == "paused"
    container.unpause()
    assert b"Ready to accept connections" in container.logs()
    container.stop()
    container.reload()
    assert container.status == "exited"
    container.start()
    assert redis.Redis(port=7777).ping()
    container.remove(force=True)
    assert client.containers.list(all=True) == []


def test_command():
    def run(*words):
        return subprocess.run(["docker", *words], capture_output=True, text=True)

    done = run("run", "-d", "--name", "db", "-p", "0.0.0.0:9602:5432", "-e", "POSTGRES_PASSWORD=x", "-e", "POSTGRES_DB=testing",
               "--health-cmd", "pg_isready -U postgres", "--health-interval", "1s", "postgres:13.6-alpine")
    assert done.returncode == 0, done.stderr
    name = done.stdout.strip()
    state = json.loads(run("inspect", name).stdout)[0]
    assert state["State"]["Health"]["Status"] == "healthy"
    assert state["NetworkSettings"]["Ports"]["5432/tcp"][0]["HostPort"] == "9602"
    assert run("exec", name, "psql", "-Atc", "select 1").stdout == "1\n"
    with psycopg2.connect(host="127.0.0.1", port=9602, user="postgres", password="x", dbname="testing"):
        pass
    assert run("rm", "-v", "-f", name).returncode == 0
    assert run("run", "-d", "nginx").returncode == 125
