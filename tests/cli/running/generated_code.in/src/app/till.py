from pathlib import Path

import grpc
from app.colours import COLOURS  # pants: no-infer-dep
from shop import order_pb2, order_pb2_grpc


class Till(order_pb2_grpc.TillServicer):
    def Sum(self, request: order_pb2.Order, context: grpc.ServicerContext) -> order_pb2.Total:
        return order_pb2.Total(cents=sum(item.cents for item in request.items))


def greeting() -> str:
    return Path(__file__).with_name("greeting.txt").read_text().strip()


def colours() -> list[str]:
    return COLOURS
