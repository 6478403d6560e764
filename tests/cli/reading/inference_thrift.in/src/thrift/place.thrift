struct Place {}
