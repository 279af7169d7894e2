"""What all pages and APIs share: handlers, templates, languages, and the running of a service process."""
