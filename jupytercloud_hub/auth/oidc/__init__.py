"""OpenID Connect as a relying party must speak it; knows no hub, no claims of people, no pages."""
