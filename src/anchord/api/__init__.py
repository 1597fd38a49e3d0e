"""The HTTP API: what the resolver and `dane` find, in JSON, for every program on the machine.

`connection` speaks HTTP/1.1 over sockets, `doors` decides who may ask at all, `calls` has what may
be asked, `resolve` the answers about names; `openapi` describes it. Nothing here reads the
configuration or knows the listeners of DNS: `daemon` hands in what is needed.
"""
