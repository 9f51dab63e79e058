"""/adAnalytics: what is asked, the rows of the world, and how they read."""
