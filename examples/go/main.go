// Connects, opens one more path by each interface, each in a goroutine of its own, and prints the
// paths of the connection.
//
//	go build -o list_and_open && ./list_and_open HOST:PORT INTERFACE...
//
// Requires CAP_NET_ADMIN, a route to the server by each interface, and a server that speaks Multipath
// TCP and sends as soon as it is connected.
package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"sync"
)

func printError(err error) {
	fmt.Fprintln(os.Stderr, err)
	var failure *Error
	if errors.As(err, &failure) {
		fmt.Fprintln(os.Stderr, failure.Remedy)
	}
}

func run(address string, interfaces []string) error {
	conn, err := dial(context.Background(), address)
	if err != nil {
		return err
	}
	defer conn.Close()
	// A first byte makes the connection ready for more paths.
	if _, err := conn.Read(make([]byte, 1)); err != nil {
		return err
	}
	tcp := conn.(*net.TCPConn)
	var group sync.WaitGroup
	failures := make(chan error, len(interfaces))
	for _, name := range interfaces {
		group.Add(1)
		go func(name string) {
			defer group.Done()
			if err := open(tcp, name); err != nil {
				failures <- err
			}
		}(name)
	}
	group.Wait()
	close(failures)
	var last error
	for last = range failures {
		printError(last)
	}
	paths, err := list(tcp)
	if err != nil {
		return err
	}
	for _, path := range paths {
		fmt.Println(path)
	}
	if last != nil {
		return errors.New("not every path could be opened")
	}
	return nil
}

func main() {
	if len(os.Args) < 2 {
		fmt.Fprintln(os.Stderr, "usage: list_and_open HOST:PORT INTERFACE...")
		os.Exit(1)
	}
	if err := run(os.Args[1], os.Args[2:]); err != nil {
		printError(err)
		os.Exit(1)
	}
}
