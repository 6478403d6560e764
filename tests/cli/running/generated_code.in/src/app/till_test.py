from concurrent.futures import ThreadPoolExecutor

import grpc
from app.till import Till, colours, greeting
from shop.item_pb2 import Item
from shop.order_pb2 import Order
from shop.order_pb2_grpc import TillStub, add_TillServicer_to_server


def test_the_service_adds_up():
    server = grpc.server(ThreadPoolExecutor(1))
    add_TillServicer_to_server(Till(), server)
    port = server.add_insecure_port("localhost:0")
    server.start()
    with grpc.insecure_channel(f"localhost:{port}") as channel:
        order = Order(items=[Item(name="tea", cents=250), Item(name="cake", cents=325)])
        assert TillStub(channel).Sum(order, timeout=10).cents == 575
    server.stop(None)


def test_generated_files():
    assert greeting() == "ADA"
    assert colours() == ["red", "green"]
