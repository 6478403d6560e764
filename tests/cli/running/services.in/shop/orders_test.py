import os
import subprocess


def query(sql):
    return subprocess.run(["psql", "-Atc", sql], check=True, capture_output=True, text=True).stdout.strip()


def test_the_database_is_empty_and_stores_orders():
    assert query("select count(*) from pg_tables where schemaname = 'public'") == "0"
    query("create table orders (item text); insert into orders values ('lamp')")
    assert query("select item from orders") == "lamp"
    assert os.environ["DATABASE_URL"] == "postgresql://postgres@127.0.0.1:5432/postgres"
