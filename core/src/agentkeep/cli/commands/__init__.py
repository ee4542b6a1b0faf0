"""What each command does, once `app` has read its arguments."""
