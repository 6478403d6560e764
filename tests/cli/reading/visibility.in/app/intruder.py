import lib.inner.secret
