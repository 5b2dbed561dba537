"""Energy models of devices: what a window, a sensor and a radio cost."""
