/* socket.h: what a client's socket has to be asked and told, and nothing else. */
#ifndef RKV_SERVE_SOCKET_H
#define RKV_SERVE_SOCKET_H

#include <stdbool.h>
#include <stdint.h>

enum { SOCKET_ADDRESS_MAX = 64 };

int socket_no_wait(int fd); /* RKV_OK, RKV_EIO */

/* Accept one client, non-blocking. Returns its descriptor, or -1 with errno. address: "ip:port", "[ip]:port", or a path; is_remote: not from this host. */
int socket_accept(int fd, char address[SOCKET_ADDRESS_MAX], bool *is_remote);
void socket_local_address(int fd, char address[SOCKET_ADDRESS_MAX]);

/* Send small replies at once; notice a peer that vanished after about keepalive_s seconds (0: never). */
void socket_prepare(int fd, uint32_t keepalive_s);

#endif
