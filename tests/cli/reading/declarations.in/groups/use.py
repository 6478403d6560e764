import groups
import pytest
import requests
import yaml
