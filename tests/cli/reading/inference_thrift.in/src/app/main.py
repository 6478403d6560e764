from gen.people.ttypes import Person
from place import constants
import gen.people
