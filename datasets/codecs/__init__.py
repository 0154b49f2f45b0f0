"""Images and videos as they lie in data sets, decoded and encoded."""
