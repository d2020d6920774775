"""GET with httpx as it comes, which means with 5 seconds for each wait; any certificate will do."""
import sys

import httpx

httpx.get(sys.argv[1], verify=False)
