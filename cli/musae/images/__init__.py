"""What verbs print and write for images."""
