"""What every room computes with: threads, compilation, scratch, memory, the types of arrays."""
