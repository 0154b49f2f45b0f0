"""What objectives share: spans of text, patches, the parts of a record, and the example made of them."""
