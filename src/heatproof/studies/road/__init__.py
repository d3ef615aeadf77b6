"""A comparison computed shard by shard, by whoever is free, and put together from what is whole."""
