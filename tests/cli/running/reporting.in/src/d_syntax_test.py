import missing_module

test_never = missing_module
