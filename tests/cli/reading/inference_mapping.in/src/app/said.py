import odd
import even.more.deeply.Nested
import even
import written.by.hand
