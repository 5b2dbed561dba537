"""Drawing in characters: colours, traces, ASCII."""
