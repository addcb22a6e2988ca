"""Design spaces: closed forms evaluated over every combination of settings."""
