"""ALOHA: two simulated arms that hand over a cube or join two parts, as gymnasium environments."""
