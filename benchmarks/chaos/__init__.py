"""Deliberate harm, and what it costs: flipped bits in recordings."""
