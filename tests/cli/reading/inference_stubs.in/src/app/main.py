import yaml
import app.fast
import app.only
import six
