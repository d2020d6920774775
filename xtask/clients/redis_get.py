"""Read a key with redis-py as it comes; with a third argument, log in before."""
import sys

import redis

password = sys.argv[3] if len(sys.argv) > 3 else None
client = redis.Redis(sys.argv[1], int(sys.argv[2]), password=password)
client.get("key")
