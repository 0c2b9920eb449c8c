"""C2SP transparency logs, ours or others: read, check, follow, mirror and witness them. Knows no database of ours."""
