"""The names of the evaluation protocols; ``splits/protocols.py`` defines each.

Imports nothing, so that the command line can offer the names before it loads numpy.
"""

PROTOCOL_NAMES = ("official", "holdout", "groups", "loso", "datasets", "named", "blocks", "leaky")
