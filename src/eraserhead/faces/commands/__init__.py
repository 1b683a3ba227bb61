"""What each command does; a module each, so that none pays for the imports of another."""
