def polite(name: str) -> str:
    return name.title()
