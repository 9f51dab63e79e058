"""Creates and updates: checking the whole entity as LinkedIn does, then writing it to the world."""
