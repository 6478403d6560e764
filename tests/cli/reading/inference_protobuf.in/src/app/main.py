from people import service_pb2, service_pb2_grpc
from people.name_pb2 import Name
import people.name_pb2_grpc
import people.shared_pb2
