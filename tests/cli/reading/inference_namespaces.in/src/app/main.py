import ns.two.b
import ns
import ns.one
