"""A tour of what one network can do: it acts, hears, sees, answers, draws and speaks, on one page."""
