"""What touches sockets, threads and the clock: connections, workers, logs, HTTP. Built by node."""
