"""Bluetooth Low Energy: find sensors, keep them connected, deliver their samples.

Only this package uses a radio: ``kinestream.ingest.devices`` defines each device's protocol, this package carries it
out through bleak.
"""
