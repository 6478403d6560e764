import lib.util
import requests
def main(): pass
