"""What is done to the time course of every voxel, in memory or block by block."""
