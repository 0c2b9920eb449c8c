"""Outside time: RFC 3161 timestamps and OpenTimestamps proofs, made, read and verified."""
