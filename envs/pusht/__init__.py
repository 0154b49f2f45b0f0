"""PushT: pushing a T-shaped block onto its outline, as a gymnasium environment."""
