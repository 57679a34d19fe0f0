"""Counting answered matches, and telling the counts by day."""
