"""What procedures share."""
