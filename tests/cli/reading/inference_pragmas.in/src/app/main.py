import app.m1  # pants: no-infer-dep
from app import (
    m2,
    m3,  # pants: no-infer-dep
    m4,
)
from app import (
    m5,
    m6,
)  # pants: no-infer-dep
text = "# pants: no-infer-dep"; import app.m7
