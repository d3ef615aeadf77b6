"""A comparison computed shard by shard, by whichever worker is free, and joined from complete shards."""
