"""Bluetooth Low Energy: find sensors, keep a link to them through everything, hand on their samples.

The only stage part with a radio: ``kinestream.ingest.devices`` knows what to say, this package says it, through bleak.
"""
