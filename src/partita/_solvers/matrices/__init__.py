"""What X can be: dense, sparse, compressed or streamed; its products, and a first look at it."""
