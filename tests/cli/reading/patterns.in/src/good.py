# Copyright 2024 us
X = 1
