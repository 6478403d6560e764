import lib.old
import lib.public
