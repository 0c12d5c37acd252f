/* loop.h: the sockets of a server: accept, receive, send, wait. It decides nothing about commands.
 *
 * All descriptors are in one epoll set, edge-triggered, registered once; what is readable or writable is remembered in the connection,
 * so that a connection that waits costs no system call. The set's own descriptor is what the owner's event loop watches.
 *
 *   poll := (wait events; a round)*      until nothing is ready or the budget is used
 *   round := receive and run every ready connection; commit once; send; let new clients in
 *
 * Threads: the owner's. A poll may linger for new bytes within its budget: waiting there is cheaper than going through the
 * owner's event loop.
 */
#ifndef RKV_SERVE_LOOP_H
#define RKV_SERVE_LOOP_H

#include "serve/server.h"

typedef struct loop loop;

int loop_new(loop **out, store *s, const limits *l);
void loop_free(loop *p); /* closes the clients; accepts NULL */
server *loop_server(loop *p);

/* fd is the caller's, and made non-blocking. RKV_EINVAL, RKV_EIO. */
int loop_listen(loop *p, int fd);
int loop_unlisten(loop *p, int fd); /* RKV_NOTFOUND */

/* Readable whenever loop_poll has something to do. */
int loop_fd(const loop *p);
/* How many requests wait for the owner, or a negative status. */
int loop_poll(loop *p, uint32_t budget_us);
void loop_cron(loop *p);
/* Something was changed from outside (a reply, a close): make loop_fd readable. */
void loop_wake(loop *p);

#endif
