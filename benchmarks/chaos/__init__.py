"""Deliberate harm, and what it costs: flipped bits in recordings, harmed input for every parser."""
