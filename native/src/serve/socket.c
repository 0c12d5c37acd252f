/* socket.c: see socket.h. */
#include "serve/socket.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "base/status.h"

typedef union address {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
    struct sockaddr_un local;
} address;

static void write_address(const address *a, char out[SOCKET_ADDRESS_MAX]) {
    char ip[INET6_ADDRSTRLEN];
    if (a->any.sa_family == AF_INET && inet_ntop(AF_INET, &a->v4.sin_addr, ip, sizeof ip))
        snprintf(out, SOCKET_ADDRESS_MAX, "%s:%u", ip, ntohs(a->v4.sin_port));
    else if (a->any.sa_family == AF_INET6 && inet_ntop(AF_INET6, &a->v6.sin6_addr, ip, sizeof ip))
        snprintf(out, SOCKET_ADDRESS_MAX, "[%s]:%u", ip, ntohs(a->v6.sin6_port));
    else if (a->any.sa_family == AF_UNIX)
        snprintf(out, SOCKET_ADDRESS_MAX, "%.60s:0", a->local.sun_path[0] ? a->local.sun_path : "unix");
    else
        snprintf(out, SOCKET_ADDRESS_MAX, "?:0");
}

static bool is_loopback(const address *a) {
    if (a->any.sa_family == AF_INET) return ntohl(a->v4.sin_addr.s_addr) >> 24 == 127;
    if (a->any.sa_family != AF_INET6) return true;
    const struct in6_addr *ip = &a->v6.sin6_addr;
    return IN6_IS_ADDR_LOOPBACK(ip) || (IN6_IS_ADDR_V4MAPPED(ip) && ip->s6_addr[12] == 127);
}

int socket_no_wait(int fd) {
    int flags = fcntl(fd, F_GETFL);
    if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0) return status_errno(errno, "descriptor %d", fd);
    return RKV_OK;
}

int socket_accept(int fd, char out[SOCKET_ADDRESS_MAX], bool *is_remote) {
    address a = {0};
    socklen_t size = sizeof a;
    int client = accept4(fd, &a.any, &size, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (client < 0) return -1;
    write_address(&a, out);
    *is_remote = !is_loopback(&a);
    return client;
}

void socket_local_address(int fd, char out[SOCKET_ADDRESS_MAX]) {
    address a = {0};
    socklen_t size = sizeof a;
    if (getsockname(fd, &a.any, &size)) a.any.sa_family = AF_UNSPEC;
    write_address(&a, out);
}

static void set(int fd, int level, int name, int value) {
    /* A socket that refuses an option is slower to notice things, no more; unix sockets refuse all of these. */
    if (setsockopt(fd, level, name, &value, sizeof value)) errno = 0;
}

void socket_prepare(int fd, uint32_t keepalive_s) {
    set(fd, IPPROTO_TCP, TCP_NODELAY, 1);
    if (!keepalive_s) return;
    int interval = keepalive_s > 6 ? (int)(keepalive_s / 3) : 2;
    set(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
    set(fd, IPPROTO_TCP, TCP_KEEPIDLE, (int)keepalive_s);
    set(fd, IPPROTO_TCP, TCP_KEEPINTVL, interval);
    set(fd, IPPROTO_TCP, TCP_KEEPCNT, 3);
}
