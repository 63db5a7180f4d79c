"""doselang: phase I dose-escalation protocols, written as they read, checked and simulated exactly."""

__version__ = "0.1.0"
