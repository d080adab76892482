// Serves by net/http on the listener that socket activation passed. Sends back what it gets.
//
//	go build server.go && python3 activate.py 0.0.0.0 8080 ./server
//
// Since Go 1.24, net.Listen makes Multipath TCP listeners itself.
package main

import (
	"io"
	"log"
	"net"
	"net/http"
	"os"
)

func main() {
	listener, err := net.FileListener(os.NewFile(3, "listener"))
	if err != nil {
		log.Fatal(err)
	}
	echo := func(response http.ResponseWriter, request *http.Request) {
		body, err := io.ReadAll(request.Body)
		if err == nil {
			_, err = response.Write(body)
		}
		if err != nil {
			log.Print(err)
		}
	}
	log.Fatal(http.Serve(listener, http.HandlerFunc(echo)))
}
