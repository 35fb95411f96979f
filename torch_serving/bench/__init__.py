"""Load for a server, and what it measures: `measure(target, load)` gives a `Measurement`."""
