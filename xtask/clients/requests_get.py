"""GET with requests as it comes, which means without a timeout."""
import sys

import requests

requests.get(f"http://{sys.argv[1]}:{sys.argv[2]}/")
