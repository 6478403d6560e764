import app.util
import app.sub.one
