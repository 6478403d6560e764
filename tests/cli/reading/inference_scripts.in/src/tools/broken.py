import tools.helper

def broken(:

import tools.run
