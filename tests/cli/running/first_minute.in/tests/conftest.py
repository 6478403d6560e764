import pytest


@pytest.fixture
def name():
    return "ada lovelace"
