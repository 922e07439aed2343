"""The simulator: whole nodes under a clock, a network and faults that obey one seed; proof that it notices."""
