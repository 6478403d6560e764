import py_compile


def test_compiles_with_the_time_of_the_source(tmp_path):
    source = tmp_path / "module.py"
    source.write_text("ONE = 1\n")
    mode = py_compile.PycInvalidationMode.TIMESTAMP
    py_compile.compile(str(source), cfile="extra-output/module.pyc", invalidation_mode=mode)
