import pytest


@pytest.fixture
def name():
    return "ada lovelace"

# This comment distinguishes the tests from those of the repository `daily`, so that no results are shared.
