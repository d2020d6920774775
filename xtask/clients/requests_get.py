"""GET with requests as it comes, which means without a timeout; any certificate will do."""
import sys

import requests
import urllib3

urllib3.disable_warnings()
requests.get(sys.argv[1], verify=False)
