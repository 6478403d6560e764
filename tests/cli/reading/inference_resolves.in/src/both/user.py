import both.main
