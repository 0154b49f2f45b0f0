"""What formats of annotated files share: items, values and media."""
