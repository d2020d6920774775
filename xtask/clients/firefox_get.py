"""Open a page in a headless Firefox as it comes; any certificate will do.

Firefox takes no switch for that, so it is asked over Marionette, its own remote control.
"""
import json
import pathlib
import socket
import subprocess
import sys
import time

url, profile = sys.argv[1], pathlib.Path(sys.argv[2])
profile.mkdir()
(profile / "user.js").write_text('user_pref("marionette.port", 0);\n')
firefox = subprocess.Popen(
    ["firefox-esr", "--headless", "--no-remote", "--marionette", "--profile", str(profile)]
)
port_file = profile / "MarionetteActivePort"
while not port_file.exists() or not port_file.read_text():
    if firefox.poll() is not None:
        sys.exit("Firefox did not start")
    time.sleep(0.1)
marionette = socket.create_connection(("127.0.0.1", int(port_file.read_text())))
stream = marionette.makefile("rb")


def hear():
    length = b""
    while not length.endswith(b":"):
        length += stream.read(1)
    return json.loads(stream.read(int(length[:-1])))


def ask(number, command, parameters):
    message = json.dumps([0, number, command, parameters])
    marionette.sendall(f"{len(message)}:{message}".encode())
    print(command, hear()[2:], flush=True)


hear()
capabilities = {"acceptInsecureCerts": True, "timeouts": {"pageLoad": 3_600_000}}
ask(1, "WebDriver:NewSession", capabilities)
ask(2, "WebDriver:Navigate", {"url": url})
