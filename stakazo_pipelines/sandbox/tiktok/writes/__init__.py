"""Creating and changing campaigns, ad groups and ads."""
