"""Shake hands with Python's ssl as it comes; unless that is all, ask for a page and read to the end."""
import socket
import ssl
import sys

context = ssl.create_default_context()
context.check_hostname = False
context.verify_mode = ssl.CERT_NONE
plain = socket.create_connection((sys.argv[1], int(sys.argv[2])))
with context.wrap_socket(plain) as secure:
    if sys.argv[3:] == ["handshake"]:
        sys.exit()
    secure.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
    while secure.recv(4096):
        pass
