"""Lossless transport of samples over an unreliable link: kept on disk and resent until acknowledged."""
