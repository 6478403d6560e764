project = "App"
extensions = ["sphinx.ext.autodoc"]
html_theme = "furo"
