"""Recording a run to disk and running it again, bit for bit."""
