"""From MIDI files to batches."""
