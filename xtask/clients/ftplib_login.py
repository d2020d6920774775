"""Log in with ftplib as it comes."""
import ftplib
import sys

client = ftplib.FTP()
client.connect(sys.argv[1], int(sys.argv[2]))
client.login("admin", "admin")
