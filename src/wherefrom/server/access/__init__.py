"""Who may do what: tokens and logins say who asks, grants and Cedar policies what they may. Source: docs/access.md."""
