"""Log in with paramiko as it comes."""
import sys

import paramiko

client = paramiko.SSHClient()
client.set_missing_host_key_policy(paramiko.AutoAddPolicy())
client.connect(
    sys.argv[1],
    port=int(sys.argv[2]),
    username="root",
    password="admin",
    allow_agent=False,
    look_for_keys=False,
)
