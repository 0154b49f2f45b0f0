"""Made-up scenes of simple shapes on a table: drawn at random, simulated and rendered by MuJoCo, described in words."""

from embodio.envs.headless_mujoco import prefer_headless

prefer_headless()  # MuJoCo reads it when it is first imported, which modules of this folder do
