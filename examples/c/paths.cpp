// The download of paths.c in C++17: destructors close what is open, exceptions report failures.
//
//   c++ -std=c++17 paths.cpp -o paths $(pkg-config --cflags --libs subflows)
//   ./paths HOST PORT INTERFACE
//
// Requires CAP_NET_ADMIN, a second interface with a route to the server, and a server that speaks
// Multipath TCP, sends as soon as it is connected, and closes.
#include <netdb.h>
#include <netinet/in.h>
#include <subflows.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <iostream>
#include <memory>
#include <stdexcept>
#include <string>
#include <system_error>
#include <vector>

struct Error : std::runtime_error {
    explicit Error(const subflows_error &error)
        : runtime_error(std::string(error.message) + "\n" + error.remedy), kind(error.kind) {}
    const int kind;
};

// What a function of the library returned, unless it failed.
int check(int result) {
    if (result >= 0)
        return result;
    subflows_error error;
    subflows_last_error(&error, sizeof error);
    throw Error(error);
}

struct Socket {
    explicit Socket(int fd) : fd(fd) {}
    Socket(const Socket &) = delete;
    ~Socket() { close(fd); }
    const int fd;
};

std::vector<subflows_subflow> list(const Socket &socket) {
    std::vector<subflows_subflow> paths(check(subflows_list(socket.fd, nullptr, 0, 0)));
    // Their number may have changed since the first call.
    const std::size_t count =
        check(subflows_list(socket.fd, paths.data(), paths.size(), sizeof paths[0]));
    paths.resize(std::min(count, paths.size()));
    return paths;
}

std::string host(const sockaddr_storage &address) {
    char text[INET6_ADDRSTRLEN] = "";
    getnameinfo(reinterpret_cast<const sockaddr *>(&address), sizeof address, text, sizeof text,
                nullptr, 0, NI_NUMERICHOST);
    return text;
}

void download(const Socket &socket, const char *interface) {
    std::vector<char> buffer(64 * 1024);
    struct subflows_events *handle = nullptr; // "struct": the function has the same name.
    check(subflows_events(socket.fd, &handle));
    const std::unique_ptr<struct subflows_events, decltype(&subflows_events_close)> events(
        handle, subflows_events_close);
    std::size_t received = 0;
    while (const ssize_t length = read(socket.fd, buffer.data(), buffer.size())) {
        if (length < 0)
            throw std::system_error(errno, std::generic_category(), "read");
        // A connection accepts further subflows as soon as its first byte has arrived.
        if (received == 0) {
            subflows_open_options second{};
            second.interface = interface;
            check(subflows_open(socket.fd, &second, sizeof second, nullptr, 0));
        }
        received += length;
    }
    subflows_event event;
    while (check(subflows_events_next(events.get(), &event, sizeof event, 0)) > 0)
        std::cout << subflows_event_kind_name(event.kind) << "\n";
    std::cout << received << " bytes\n";
    for (const auto &path : list(socket))
        std::cout << path.id << ": " << host(path.local) << " -> " << host(path.remote) << ", "
                  << path.rtt_us << " us, " << path.bytes_received << " bytes\n";
}

int main(int count, char **arguments) try {
    if (count != 4)
        throw std::invalid_argument("usage: paths HOST PORT INTERFACE");
    subflows_connect_options options{};
    options.control = true;
    const Socket socket(
        check(subflows_connect(arguments[1], arguments[2], &options, sizeof options)));
    download(socket, arguments[3]);
} catch (const std::exception &problem) {
    std::cerr << problem.what() << "\n";
    return EXIT_FAILURE;
}
