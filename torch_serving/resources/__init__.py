"""What the server answers to, one resource a file."""
