"""MiniGrid and BabyAI: grid worlds with missions in words, as gymnasium environments."""
