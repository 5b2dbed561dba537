"""The state that the dashboard shows and the commands it accepts, without a screen."""
