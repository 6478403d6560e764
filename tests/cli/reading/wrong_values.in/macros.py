def service(name):
    python_sources(name=name, tags="service")
