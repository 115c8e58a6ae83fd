"""What verbs print and write for music."""
