"""Google Cloud, and the google-genai client that both worlds share."""
