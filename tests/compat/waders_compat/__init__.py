"""Answers of Waders beside those of real Pants."""
