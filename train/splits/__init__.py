"""The split of people or windows into training, validation and test parts."""
