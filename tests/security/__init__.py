"""Programs inside a sandbox that try to get out, or in each other's way: all must fail, with the error we expect."""
