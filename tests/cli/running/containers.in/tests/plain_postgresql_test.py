import os

import psycopg2
from pytest_postgresql import factories

postgresql_in_docker = factories.postgresql_noproc()
postgresql = factories.postgresql("postgresql_in_docker")
own_proc = factories.postgresql_proc()
own = factories.postgresql("own_proc")


def test_plain():
    with psycopg2.connect(os.environ["DATABASE_URL"]) as connection:
        connection.cursor().execute("select 1")


def test_noproc(postgresql):
    cursor = postgresql.cursor()
    cursor.execute("create table t (x int)")


def test_own_proc(own):
    own.cursor().execute("create table t (x int)")
