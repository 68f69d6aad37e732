"""The console: the window people look through. Static files, what the server renders for them, and a page of plain text."""
