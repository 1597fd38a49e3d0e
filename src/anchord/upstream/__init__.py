"""Upstreams: the resolvers that anchord forwards to, each behind one method, `exchange`."""
