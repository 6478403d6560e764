"""Mentions data/a.json in words."""
PATHS = ["data/a.json", "files/x.txt", "data/none.json", "data/b.json with words", f"data/{1}.json"]
PLUGINS = ["app.plugins.one", "app.plugins", "app.plugins.two.Class", "app.plugins." "three"]
