"""What things are: the archive's nouns, with no input, no output and no clock."""
