"""Long pieces: drawn with a form, continued, filled in and varied by a model of long sequences."""
