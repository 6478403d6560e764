import subprocess


def test_it():
    words = ["mariadb", "--no-defaults", "-uroot", "-h127.0.0.1", "-e"]
    subprocess.run([*words, "create database shop; create table shop.t (x int) engine=innodb; insert into shop.t values (1)"], check=True)
