"""The built-in synthetic wearer."""
