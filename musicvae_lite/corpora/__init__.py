"""Prepared training material: files to shards, and shards to batches."""
