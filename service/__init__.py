"""The HTTP face of Undertone, and its command line."""
