"""Connect with Debian's libssh2, and offer old algorithms only."""
import ctypes
import socket
import sys

lib = ctypes.CDLL("libssh2.so.1")
lib.libssh2_session_init_ex.restype = ctypes.c_void_p
lib.libssh2_session_method_pref.argtypes = [ctypes.c_void_p, ctypes.c_int, ctypes.c_char_p]
lib.libssh2_session_handshake.argtypes = [ctypes.c_void_p, ctypes.c_int]

lib.libssh2_init(0)
session = lib.libssh2_session_init_ex(None, None, None, None)
# The places of its LIBSSH2_METHOD_ constants.
for place, names in enumerate([
    b"diffie-hellman-group1-sha1",
    b"ssh-rsa",
    b"aes128-cbc,3des-cbc",
    b"aes128-cbc,3des-cbc",
    b"hmac-md5,hmac-sha1",
    b"hmac-md5,hmac-sha1",
]):
    if lib.libssh2_session_method_pref(session, place, names) != 0:
        sys.exit(f"libssh2 knows none of {names.decode()}")
connection = socket.create_connection((sys.argv[1], int(sys.argv[2])))
sys.exit(f"the handshake ends with {lib.libssh2_session_handshake(session, connection.fileno())}")
