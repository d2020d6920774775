"""Log in with paramiko as it comes, or with its old ciphers and codes only."""
import sys

import paramiko


class Old(paramiko.Transport):
    """It has the ciphers of block chaining, and codes of MD5 and SHA-1."""

    _preferred_ciphers = ("aes128-cbc", "3des-cbc")
    _preferred_macs = ("hmac-md5", "hmac-sha1")


client = paramiko.SSHClient()
client.set_missing_host_key_policy(paramiko.AutoAddPolicy())
client.connect(
    sys.argv[1],
    port=int(sys.argv[2]),
    username="root",
    password="admin",
    allow_agent=False,
    look_for_keys=False,
    transport_factory=Old if sys.argv[3:] == ["old"] else None,
)
