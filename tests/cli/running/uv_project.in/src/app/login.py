def is_valid(name: str) -> bool:
    return name.isidentifier()
