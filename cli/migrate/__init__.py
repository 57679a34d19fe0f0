"""Moving in from another service: what an account there holds, with the originals from a folder."""
