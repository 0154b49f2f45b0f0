"""Planning: from an observation to a chunk of actions, for one robot or for many at once."""
