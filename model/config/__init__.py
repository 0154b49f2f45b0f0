"""Configuration of the network: its dimensions, read strictly, and the released sizes."""
