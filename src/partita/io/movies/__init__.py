"""Movies in files, one module a format; each answers with a `Movie`, its values unread."""
