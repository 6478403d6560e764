# -*- coding: latin-1 -*-
# ä
import tools.helper
