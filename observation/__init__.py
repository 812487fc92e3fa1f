"""What a profile's runs left behind, each log record and each session counted once, one snapshot per window of time."""
