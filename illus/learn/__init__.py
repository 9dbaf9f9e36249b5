"""Settings and a plan -> runs -> records -> a weights file."""
