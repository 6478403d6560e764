import requests
import six
