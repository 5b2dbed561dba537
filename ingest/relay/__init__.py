"""Samples over a link that breaks: kept on disk and resent until acknowledged."""
