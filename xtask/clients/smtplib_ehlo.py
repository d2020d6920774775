"""Connect and greet with smtplib as it comes."""
import smtplib
import sys

smtplib.SMTP(sys.argv[1], int(sys.argv[2])).ehlo()
