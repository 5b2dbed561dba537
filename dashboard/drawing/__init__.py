"""Drawing in characters: colours, traces, big text, ASCII."""
