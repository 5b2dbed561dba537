"""From options to a source and a session, for the command line and for programs."""
