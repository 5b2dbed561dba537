"""Samples over ZeroMQ: wire format, source, publisher, addresses and CURVE keys."""
