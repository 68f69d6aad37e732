"""HOW IT THINKS: the loop, the conversation, its prompts and its calls."""
