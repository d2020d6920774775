"""Greet and send a mail with smtplib as it comes."""
import smtplib
import sys

client = smtplib.SMTP(sys.argv[1], int(sys.argv[2]))
client.ehlo()
client.sendmail("sender@example.org", ["receiver@example.org"], "Subject: hello\r\n\r\nhello\r\n")
