// Four clients as Go's libraries come: client ssh|http|tls|handshake ADDRESS.
package main

import (
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"os"

	"golang.org/x/crypto/ssh"
)

func main() {
	err := run(os.Args[1], os.Args[2])
	fmt.Println(err)
	if err != nil {
		os.Exit(1)
	}
}

func run(what, address string) error {
	anyCertificate := &tls.Config{InsecureSkipVerify: true}
	switch what {
	case "ssh":
		_, err := ssh.Dial("tcp", address, &ssh.ClientConfig{
			User: "root",
			Auth: []ssh.AuthMethod{
				ssh.Password("admin"),
				ssh.KeyboardInteractive(func(_, _ string, questions []string, _ []bool) ([]string, error) {
					return make([]string, len(questions)), nil
				}),
			},
			HostKeyCallback: ssh.InsecureIgnoreHostKey(),
		})
		return err
	case "http":
		transport := http.DefaultTransport.(*http.Transport).Clone()
		transport.TLSClientConfig = anyCertificate
		response, err := (&http.Client{Transport: transport}).Get(address)
		if err != nil {
			return err
		}
		_, err = io.Copy(io.Discard, response.Body)
		return err
	case "handshake":
		connection, err := tls.Dial("tcp", address, anyCertificate)
		if err != nil {
			return err
		}
		return connection.Close()
	case "tls":
		connection, err := tls.Dial("tcp", address, anyCertificate)
		if err != nil {
			return err
		}
		fmt.Fprint(connection, "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
		_, err = io.Copy(io.Discard, connection)
		return err
	default:
		return fmt.Errorf("no client %q", what)
	}
}
