"""The Kivicube image cloud recognition API: seven methods, their fields and their codes."""
