"""The front doors: sockets, and the one handler that turns a client's bytes into a reply."""
