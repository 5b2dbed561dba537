"""One run: samples go into a pipeline, predictions come out, a session drives it."""
