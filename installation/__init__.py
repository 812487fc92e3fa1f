"""This plugin on this machine: setting it up, looking for what is wrong, what stands where, and taking it away."""
