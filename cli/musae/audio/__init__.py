"""What verbs print and write for sound."""
