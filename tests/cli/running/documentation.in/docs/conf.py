project = "Fixture"
extensions = ["sphinx.ext.autodoc", "myst_parser"]
html_theme = "furo"
