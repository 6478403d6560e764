from ns.one import a
from ns.one.a import f
