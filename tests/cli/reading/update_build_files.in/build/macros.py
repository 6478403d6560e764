def shell_library(**fields):
    shell_sources(**fields)
