"""Insights of the Graph API: what is asked, which days that means, how rows read, at once or as a report run."""
