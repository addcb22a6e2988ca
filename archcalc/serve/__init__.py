"""The live page: a spec in an editor, and beside it what the commands say about it, at every keystroke."""
