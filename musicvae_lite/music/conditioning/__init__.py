"""What a model of music is conditioned on: chords and key."""
