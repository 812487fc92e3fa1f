"""The ratchet itself: experiments, their states, approval, application, recovery and the live window."""
