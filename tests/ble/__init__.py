"""A simulated radio: a private D-Bus daemon, a small ``org.bluez`` on it, and simulated peripherals."""
