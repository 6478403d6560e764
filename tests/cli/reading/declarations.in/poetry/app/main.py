import attr
import lib
