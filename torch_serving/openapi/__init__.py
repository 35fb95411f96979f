"""The server's own description: an OpenAPI document, made of the tables that the code works by."""
