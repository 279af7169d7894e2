"""One portal, many autonomous sites: who is sent where, and nobody to a site that is known to be dead."""
