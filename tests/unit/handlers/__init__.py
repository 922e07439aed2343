"""What handlers call a session and where they keep it, as text and bytes alone."""
