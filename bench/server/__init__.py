"""Parts of bench/server.py."""
