"""C2SP transparency logs, ours or anybody's: read, check, follow, mirror and witness them. Knows no database of ours."""
