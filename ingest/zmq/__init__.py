"""The wire format over ZeroMQ: source, publisher, addresses, CURVE keys."""
