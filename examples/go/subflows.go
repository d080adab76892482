package main

/*
#cgo pkg-config: subflows
#include <stdlib.h>
#include <subflows.h>
*/
import "C"

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"syscall"
	"unsafe"
)

// Error is what failed, why, and what to do about it.
type Error struct {
	Kind            int
	Message, Remedy string
}

func (e *Error) Error() string { return e.Message }

// call calls a function with a struct for its failure. A goroutine may continue in another thread
// after a call, so it cannot use subflows_last_error().
func call(function func(*C.struct_subflows_failure, C.size_t) C.int) (int, error) {
	var failure C.struct_subflows_failure
	result := int(function(&failure, C.size_t(unsafe.Sizeof(failure))))
	if result < 0 {
		text := func(first *C.char) string { return C.GoString(first) }
		return 0, &Error{-result, text(&failure.message[0]), text(&failure.remedy[0])}
	}
	return result, nil
}

// Path is a subflow of a connection.
type Path struct {
	ID            uint32
	Local, Remote netip.AddrPort
	RTTMicros     uint32
}

// dial connects by Multipath TCP. The program decides about the paths of the connection.
func dial(ctx context.Context, address string) (net.Conn, error) {
	prepare := func(network, address string, socket syscall.RawConn) error {
		return with(socket, func(fd C.int) error {
			// Go's own Dialer.SetMultipathTCP (Go 1.21) makes the first of these calls unnecessary.
			_, err := call(func(failure *C.struct_subflows_failure, size C.size_t) C.int {
				if result := C.subflows_upgrade_e(fd, failure, size); result < 0 {
					return result
				}
				return C.subflows_take_control_e(fd, failure, size)
			})
			return err
		})
	}
	return (&net.Dialer{Control: prepare}).DialContext(ctx, "tcp", address)
}

// with calls a function with the descriptor, which stays open during the call.
func with(socket syscall.RawConn, act func(fd C.int) error) error {
	var result error
	if err := socket.Control(func(fd uintptr) { result = act(C.int(fd)) }); err != nil {
		return err
	}
	return result
}

// open opens one more path by an interface, and waits until it is usable.
func open(conn *net.TCPConn, name string) error {
	socket, err := conn.SyscallConn()
	if err != nil {
		return err
	}
	// C keeps pointers in its own memory.
	text := C.CString(name)
	defer C.free(unsafe.Pointer(text))
	options := C.struct_subflows_open_options{_interface: text}
	return with(socket, func(fd C.int) error {
		_, err := call(func(failure *C.struct_subflows_failure, size C.size_t) C.int {
			return C.subflows_open_e(fd, &options, C.size_t(unsafe.Sizeof(options)), nil, 0, failure, size)
		})
		return err
	})
}

// list lists the paths of a connection.
func list(conn *net.TCPConn) (paths []Path, err error) {
	socket, err := conn.SyscallConn()
	if err != nil {
		return nil, err
	}
	var room [8]C.struct_subflows_subflow
	err = with(socket, func(fd C.int) error {
		count, err := call(func(failure *C.struct_subflows_failure, size C.size_t) C.int {
			each := C.size_t(unsafe.Sizeof(room[0]))
			return C.subflows_list_e(fd, &room[0], C.size_t(len(room)), each, failure, size)
		})
		for index := 0; index < count && index < len(room); index++ {
			path := &room[index]
			local, remote := addrPort(&path.local), addrPort(&path.remote)
			paths = append(paths, Path{uint32(path.id), local, remote, uint32(path.rtt_us)})
		}
		return err
	})
	return paths, err
}

func addrPort(storage *C.struct_sockaddr_storage) netip.AddrPort {
	bytes := (*[28]byte)(unsafe.Pointer(storage))
	port := uint16(bytes[2])<<8 | uint16(bytes[3])
	if storage.ss_family == syscall.AF_INET {
		return netip.AddrPortFrom(netip.AddrFrom4(*(*[4]byte)(bytes[4:8])), port)
	}
	return netip.AddrPortFrom(netip.AddrFrom16(*(*[16]byte)(bytes[8:24])), port)
}

func (p Path) String() string {
	return fmt.Sprintf("%d %s -> %s: %d us", p.ID, p.Local, p.Remote, p.RTTMicros)
}
