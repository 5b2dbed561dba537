"""A radio without a radio: a private D-Bus daemon, a small ``org.bluez`` on it, and peripherals in its air."""
