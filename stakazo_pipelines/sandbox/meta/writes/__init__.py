"""Creates and updates as the Marketing API checks them, turned into writes on the world."""
