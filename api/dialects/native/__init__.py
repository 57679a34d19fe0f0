"""Obverse's own API, under /v1: what users of every dialect miss."""
