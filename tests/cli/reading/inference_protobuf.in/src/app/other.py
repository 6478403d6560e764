from people.person_pb2 import Person
