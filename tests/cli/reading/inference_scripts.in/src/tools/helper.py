import tools.run
