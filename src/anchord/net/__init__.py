"""Plumbing between sockets and the rooms above: TCP and TLS, driven by trio.

This floor knows bytes and certificates; it knows neither DNS nor upstreams.
"""
