"""Vuforia's Web Services (management of targets) and its Web Query."""
