"""Codecs of music: one module each, found by its ``kind``."""
