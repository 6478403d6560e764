import requests
import six
import app.main
